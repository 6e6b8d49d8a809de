/** Frozen messages: what is done with them when they come up. Source: Exim manual, "Main configuration" (auto_thaw ...). */
import type { ByteString } from '../../base/text.ts'
import type { MainSettings } from '../../language/config/options/main.ts'
import type { Attempt } from './attempt.ts'
import type { DeliverySummary } from './results.ts'

/** Of the log selector `skip_delivery`. */
export const frozenLine = 'Message is frozen'

/** What is known of a frozen message without reading it. */
export interface Frozen {
  readonly frozenAt: number
  readonly receivedAt: number
  readonly sender: ByteString
}

/** `thaws` by itself, is `retried` as a bounce that has waited long enough, `ends` by its age, or `stays` as it is. */
export function frozenFate(
  { frozenAt, receivedAt, sender }: Frozen,
  settings: Pick<MainSettings, 'auto_thaw' | 'ignore_bounce_errors_after' | 'timeout_frozen_after'>,
  now: number,
): 'thaws' | 'retried' | 'ends' | 'stays' {
  // How long it has been on the queue counts, not for how long it is frozen: observed of Exim 4.96, as the manual has it.
  const age = now - receivedAt
  const agedOut = settings.timeout_frozen_after > 0 && age >= settings.timeout_frozen_after * 1000
  const bounceAgedOut = sender === '' && age >= settings.ignore_bounce_errors_after * 1000
  if (agedOut) return 'ends'
  if (bounceAgedOut) return 'retried'
  return settings.auto_thaw > 0 && now >= frozenAt + settings.auto_thaw * 1000 ? 'thaws' : 'stays'
}

/** What ends the attempt at once; `cancel`: the sender is told that it is given up; undefined: go on delivering. */
export async function frozenVerdict(attempt: Attempt): Promise<DeliverySummary | 'cancel' | undefined> {
  const { envelope, options, claim } = attempt
  const { settings, ports } = attempt.context
  const frozenAt = envelope.frozenAt
  if (frozenAt === undefined) return undefined
  const now = ports.now()
  const fate = frozenFate({ ...envelope, frozenAt }, settings, now)
  // The time of a bounce comes before the force, the force before auto_thaw: observed of Exim 4.96.
  const forced = options.thaw === true || (options.force === true && fate === 'thaws')
  if (forced && fate !== 'ends' && fate !== 'retried') {
    await claim.record({ frozenAt: null, manuallyThawed: true })
    if (attempt.context.message !== undefined) attempt.context.message.manuallyThawed = true
    attempt.log('Unfrozen by forced delivery')
    return undefined
  }
  if (fate === 'ends') {
    attempt.log('cancelled by timeout_frozen_after')
    // Nobody is told of a lost bounce; all others are as with -Mg.
    if (envelope.sender !== '') return 'cancel'
    await claim.complete()
    attempt.log('Completed')
    return { is: 'completed', delivered: 0, failed: 0, deferred: 0 }
  }
  if (fate === 'thaws' || fate === 'retried') {
    await claim.record({ frozenAt: null })
    attempt.log(`Unfrozen by ${fate === 'thaws' ? 'auto-thaw' : 'errmsg timer'}`)
    return undefined
  }
  // A run that looks at messages first says it without their id. Observed of Exim 4.96.
  if (attempt.selects('skip_delivery') && options.chosen === true) ports.log.main(undefined, frozenLine)
  else if (attempt.selects('skip_delivery')) attempt.log(frozenLine)
  claim.release()
  return { is: 'skipped', delivered: 0, failed: 0, deferred: 0 }
}
