/** Frozen messages: what is done with them when they come up. Source: Exim manual, "Main configuration" (auto_thaw ...). */
import type { Attempt } from './attempt.ts'
import type { DeliverySummary } from './results.ts'

/** What ends the attempt at once; undefined: go on delivering. */
export async function frozenVerdict(attempt: Attempt): Promise<DeliverySummary | undefined> {
  const { envelope, options, claim } = attempt
  const { settings, ports } = attempt.context
  const frozenAt = envelope.frozenAt
  if (frozenAt === undefined) return undefined
  const now = ports.now()
  if (options.thaw === true) {
    await claim.record({ frozenAt: null, manuallyThawed: true })
    if (attempt.context.message !== undefined) attempt.context.message.manuallyThawed = true
    attempt.log('Unfrozen by forced delivery')
    return undefined
  }
  const agedOut = settings.timeout_frozen_after > 0 && now - frozenAt >= settings.timeout_frozen_after * 1000
  const bounceAgedOut =
    envelope.sender === '' && now - envelope.receivedAt >= settings.ignore_bounce_errors_after * 1000
  if (agedOut || bounceAgedOut) {
    attempt.log('cancelled by timeout_frozen_after')
    await claim.complete()
    attempt.log('Completed')
    return { is: 'completed', delivered: 0, failed: 0, deferred: 0 }
  }
  const thawed = settings.auto_thaw > 0 && now >= frozenAt + settings.auto_thaw * 1000
  if (thawed) {
    await claim.record({ frozenAt: null })
    attempt.log('Unfrozen by auto-thaw')
    return undefined
  }
  if (attempt.selects('skip_delivery')) attempt.log('Message is frozen')
  claim.release()
  return { is: 'skipped', delivered: 0, failed: 0, deferred: 0 }
}
