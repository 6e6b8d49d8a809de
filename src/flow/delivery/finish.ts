/** The end of an attempt: bounces, warnings, freezing, and either completion or back to the queue. */
import type { ByteString } from '../../base/text.ts'
import { belowParent, completedLine } from '../../mail/delivery-lines.ts'
import type { Attempt, FailedAddress } from './attempt.ts'
import type { GeneratedMessage } from './deps.ts'
import { replaceOneTime } from './one-time.ts'
import { raiseForMessage } from './raise.ts'
import { bounceMessage } from './reports/bounce.ts'
import { frozenNotice } from './reports/frozen-notice.ts'
import { systemRecipient } from './system-filter.ts'
import { successReport } from './reports/success.ts'
import { toWarnAbout, warningMessage, warningWanted, warningsDue } from './reports/warning.ts'
import type { DeliverySummary } from './results.ts'

export async function finish(attempt: Attempt): Promise<DeliverySummary> {
  // Reports take time: what was delivered is marked first, so that a crash does not repeat it.
  if (attempt.failed.length > 0 || attempt.successes.length > 0) await attempt.save()
  if (attempt.successes.length > 0 && attempt.envelope.sender !== '') {
    await submit(attempt, await successReport(attempt))
  }
  if (attempt.failed.length > 0) await reportFailures(attempt)
  if (nothingLeft(attempt)) return complete(attempt)
  return keep(attempt)
}

/** The system filter's own deliveries count as well, and may stand in for those to the recipients. */
function nothingLeft({ marks, originalsIgnored, deferred, freezeWanted }: Attempt): boolean {
  if (originalsIgnored) return deferred.length === 0 && freezeWanted === undefined
  return marks.allDone && !deferred.some((one) => one.recipient.address === systemRecipient)
}

/** Nothing is left to do: the message is removed. */
export async function complete(attempt: Attempt): Promise<DeliverySummary> {
  let done: Promise<void> | undefined
  const completed = (): Promise<void> => (done ??= removed(attempt))
  const raised = raiseForMessage(attempt, 'msg:complete', completed)
  await completed()
  await raised
  const { delivered, failed, deferred } = counts(attempt)
  return { is: 'completed', delivered, failed, deferred }
}

async function removed(attempt: Attempt): Promise<void> {
  const { claim, envelope } = attempt
  const { preserve_message_logs } = attempt.context.settings
  if (preserve_message_logs) {
    attempt.note('Completed')
    attempt.flushNotes()
  }
  await claim.complete({ keepLog: preserve_message_logs })
  attempt.log(completedLine(attempt.context.ports.now() - envelope.receivedAt, attempt.selects), {
    event: 'completed',
  })
}

function counts(attempt: Attempt): { delivered: number; failed: number; deferred: number } {
  return {
    delivered: attempt.delivered,
    failed: attempt.failed.length,
    deferred: attempt.deferred.length,
  }
}

/** Back to the queue, with what is known about the next attempt. */
async function keep(attempt: Attempt): Promise<DeliverySummary> {
  const { claim, context } = attempt
  const { settings } = context
  const now = context.ports.now()
  const frozen = attempt.freezeWanted
  const warned = attempt.options.handed === undefined && (await warn(attempt))
  const nextAttemptAt = nextAttempt(attempt, now)
  attempt.flushNotes()
  await replaceOneTime(attempt)
  await claim.record({
    done: attempt.marks.takeFresh(),
    firstDelivery: false,
    // Those that were missed are not sent one after the other.
    ...(warned
      ? { warningCount: warningsDue(settings.delay_warning, (now - attempt.envelope.receivedAt) / 1000) }
      : {}),
    ...(frozen === undefined ? {} : { frozenAt: now }),
    // Exim's folder for them is a queue of its own here.
    ...(frozen !== undefined && context.settings.move_frozen_messages ? { queueName: 'Finput' } : {}),
    ...(nextAttemptAt === undefined ? {} : { nextAttemptAt }),
    ...reasonOf(attempt),
  })
  if (frozen !== undefined) {
    await tellOfFreezing(attempt, frozen)
    const line = frozen === '' ? 'Frozen' : `Frozen (${frozen})`
    if (!attempt.freezeTold) attempt.log(line, { event: 'frozen' })
    claim.log(line)
  }
  claim.release()
  return { is: frozen === undefined ? 'kept' : 'frozen', ...counts(attempt), nextAttemptAt }
}

/** What ends or thaws a frozen message does not wait for its retry times; undefined: as it was. */
function nextAttempt({ deferred, freezeWanted }: Attempt, now: number): number | undefined {
  if (freezeWanted !== undefined) return now
  if (deferred.every((one) => one.untouched === true)) return undefined
  // An address without a time of its own may be tried in the next queue run.
  return deferred.reduce((least, { nextTryAt = now }) => Math.min(least, nextTryAt), Number.POSITIVE_INFINITY)
}

/** One warning for each address that errors go to; true when one went out. */
async function warn(attempt: Attempt): Promise<boolean> {
  if (!(await warningWanted(attempt))) return false
  await attempt.save()
  const groups = byErrorsTo(toWarnAbout(attempt), attempt.envelope.sender)
  let sent = false
  for (const [to, group] of groups) {
    if (to === '') continue
    sent = (await submit(attempt, await warningMessage(attempt, to, group))) || sent
  }
  return sent
}

function byErrorsTo<T extends { readonly errorsTo: ByteString | undefined }>(
  addresses: readonly T[],
  sender: ByteString,
): Map<ByteString, T[]> {
  const groups = new Map<ByteString, T[]>()
  for (const one of addresses) {
    const to = one.errorsTo ?? sender
    const group = groups.get(to)
    if (group === undefined) groups.set(to, [one])
    else group.push(one)
  }
  return groups
}

/** Of a frozen report nobody is told, or reports about reports would never end. Source: Exim manual, "freeze_tell". */
async function tellOfFreezing(attempt: Attempt, reason: ByteString): Promise<void> {
  const to = attempt.context.settings.freeze_tell
  if (to === undefined || to.trim() === '' || attempt.envelope.localErrorMessage === true) return
  const notice = await frozenNotice(attempt, to, reason)
  if (notice.recipients.length > 0) await submit(attempt, notice)
}

/** Commits a report; a refusal is logged, for nobody else would learn of it. */
async function submit(attempt: Attempt, message: GeneratedMessage, bounces = false): Promise<boolean> {
  const submitted = await attempt.deps.submit(message)
  if (submitted.is === 'accepted') return true
  // The refusal stands in the log already.
  if (submitted.byAcl === true) return bounces && unwanted(attempt, message)
  attempt.log(`failed to submit a report to ${message.recipients.join(', ')}: ${submitted.message}`)
  return false
}

/**
 * The ACL of local messages has refused a report. A message that no retry rule would keep so long ends without it (true); a younger one is
 * frozen: somebody may mend the ACL. Observed of Exim 4.96, as are the words.
 */
function unwanted(attempt: Attempt, { recipients }: GeneratedMessage): boolean {
  const { server, ports } = attempt.context
  const longest = Math.max(
    0,
    ...server.configuration.retry.map(({ intervals }) => intervals.at(-1)?.cutoff ?? 0),
  )
  const given = ports.now() - attempt.envelope.receivedAt >= longest * 1000
  attempt.log(
    `Process failed (1) when writing error message to ${recipients.join(', ')}${given ? '' : ' (frozen)'}`,
  )
  if (given) return true
  attempt.freezeWanted ??= ''
  attempt.freezeTold = true
  return false
}

function reasonOf(attempt: Attempt): { readonly reason?: string } {
  const first = attempt.deferred.find((one) => one.untouched !== true)
  if (first === undefined) return {}
  return { reason: `${first.address}: ${first.error.message ?? first.error.errorText ?? ''}`.slice(0, 300) }
}

/**
 * One bounce for each address that errors go to. Only when it is committed are its addresses marked: a crash
 * between may bounce twice, never not at all.
 */
async function reportFailures(attempt: Attempt): Promise<void> {
  const told: FailedAddress[] = []
  // An address is given up after all others: whether its time is over shows in the end.
  const lasting = attempt.failed.filter(({ timedOut }) => timedOut !== true)
  const givenUp = attempt.failed.filter(({ timedOut }) => timedOut === true)
  for (const failed of [...lasting, ...givenUp]) {
    if (failed.ignoreErrors) ignoreError(attempt, failed)
    else told.push(failed)
  }
  const groups = byErrorsTo(told, attempt.envelope.sender)
  for (const [to, group] of groups) {
    if (to === '') {
      failedBounce(attempt, group)
      continue
    }
    const wanted = group.filter((failed) => wantsFailure(failed))
    if (wanted.length > 0 && !(await submit(attempt, await bounceMessage(attempt, to, wanted), true)))
      continue
    for (const failed of group) {
      if (!wanted.includes(failed)) {
        attempt.log(`${failed.address}: error ignored: RFC 3461 DSN, failure notify not requested`)
      }
      attempt.marks.settle(failed.recipient, failed.key)
    }
  }
}

/** Nobody is told. */
function ignoreError(attempt: Attempt, { address, ancestors, recipient, key }: FailedAddress): void {
  attempt.log(`${belowParent(address, ancestors[0])}: error ignored`)
  attempt.marks.settle(recipient, key)
}

/** RFC 3461 section 4.1: NOTIFY=NEVER, or a list without FAILURE, asks for silence. */
function wantsFailure(failed: FailedAddress): boolean {
  const notify = failed.recipient.dsn?.notify ?? []
  return notify.length === 0 || notify.includes('failure')
}

/**
 * No bounce goes to a null reverse-path (RFC 5321 section 6.1): the message is frozen; an address is given up when the message is old, when it was
 * tried for long enough, and when a router says that nobody wants to know (`errors_to = <>`).
 */
function failedBounce(attempt: Attempt, group: readonly FailedAddress[]): void {
  const { settings, ports } = attempt.context
  const age = ports.now() - attempt.envelope.receivedAt
  const isOld = age >= settings.ignore_bounce_errors_after * 1000
  for (const failed of group) {
    if (isOld || failed.timedOut === true || failed.errorsTo === '') ignoreError(attempt, failed)
    else attempt.freezeWanted ??= 'delivery error message'
  }
}
