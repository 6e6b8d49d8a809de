/** Keeps and forgets failures in the hints. */
import { errorNumbers } from '../results.ts'
import { locate } from '../../../base/diagnostic.ts'
import type { ByteString } from '../../../base/text.ts'
import type { Envelope } from '../../../mail/envelope.ts'
import type { Context, Hints } from '../../../ports.ts'
import type { DeliveryError } from '../results.ts'
import { nextRetry } from './next.ts'
import { readRetry, type RetryRecord } from './record.ts'
import { findRule } from './rules.ts'

export interface Failing {
  readonly key: string
  /** What retry rules are matched against. */
  readonly subject: ByteString
  readonly alternative?: ByteString | undefined
  readonly error: DeliveryError
  /** Counted from the arrival of the message when that is earlier. */
  readonly ofMessage: boolean
  /** Whose answer or silence it is: told before the error. */
  readonly host?: { readonly name: ByteString; readonly address: string } | undefined
}

/** Computes and keeps the next retry time; undefined when no rule matches: there is no retrying. */
export async function rememberFailure(
  context: Context,
  envelope: Envelope,
  failing: Failing,
): Promise<RetryRecord | undefined> {
  const { ports, settings } = context
  const now = ports.now()
  const rule = await findRule(
    context.server.configuration.retry,
    {
      subject: failing.subject,
      alternative: failing.alternative,
      errno: failing.error.errno,
      more: failing.error.more,
      sender: envelope.sender,
    },
    context,
  )
  const { debug } = context
  debug?.(
    'retry',
    `retry for ${failing.key}: ${rule === undefined ? 'no retry rule' : `rule ${shownRule(rule)}`}`,
  )
  if (rule === undefined) return undefined
  const before = readRetry(ports.hints, failing.key, now, settings.retry_data_expire)
  const record = nextRetry(rule.intervals, before, failing.error, textOf(failing), {
    now,
    receivedAt: failing.ofMessage ? envelope.receivedAt : undefined,
    intervalMaxSeconds: settings.retry_interval_max,
    random: (limit) => ports.random(limit),
  })
  // A message that has waited longer than its rules allow times out even if the host worked in between.
  const last = rule.intervals.at(-1)?.cutoff ?? 0
  const tooOld = now - envelope.receivedAt > last * 1000
  debug?.(
    'retry',
    `  first failed=${seconds(record.firstFailedAt)} last try=${seconds(record.lastTriedAt)} next try=${seconds(record.nextTryAt)} expired=${record.expired ? 1 : 0} errno=${record.errno} more_errno=${record.more} ${record.text}`,
  )
  ports.hints.put('retry', failing.key, record)
  return tooOld && !record.expired ? { ...record, expired: true } : record
}

/** As Exim keeps it: the system's sentence alone where there is one. */
function textOf({ error, host }: Failing): ByteString {
  if (error.errno > 0 && error.errorText !== undefined) return error.errorText
  const unnamed =
    host === undefined || error.message === undefined || error.errno === errorNumbers.expansionFailed
  const about = unnamed ? '' : `H=${host.name} [${host.address}]: `
  return `${about}${error.message ?? error.errorText ?? ''}`
}

/** A success: what was held against the key no longer counts. */
export function forgetFailure(hints: Hints, key: string): void {
  if (hints.get('retry', key) !== undefined) hints.remove('retry', key)
}

function seconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000)
}

function shownRule(rule: NonNullable<Awaited<ReturnType<typeof findRule>>>): string {
  const { file, line } = locate(rule.at)
  return `in line ${line} of ${file}`
}
