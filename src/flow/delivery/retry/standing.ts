/** May a host be tried now? Source: Exim manual, "Retry configuration", "Long-term failures" and the section after it. */
import type { ByteString } from '../../../base/text.ts'
import type { Envelope } from '../../../mail/envelope.ts'
import type { Context } from '../../../ports.ts'
import { messageRetryKey, readRetry, type RetryRecord } from './record.ts'
import { findRule } from './rules.ts'

/** `waiting`: its retry time is not reached; `expired`: neither, and it has failed for too long. */
export type Standing =
  | { readonly is: 'usable' }
  | { readonly is: 'waiting' | 'expired'; readonly until: number }

const usable: Standing = { is: 'usable' }

export interface StandingRequest {
  readonly key: string
  readonly hostName: ByteString
  readonly domain: ByteString
  readonly force: boolean
  /** `delay_after_cutoff` is off: past the cutoff, what was not tried since the message came is tried. */
  readonly tryAfterCutoff: boolean
}

/** Looks at the host's record, and at that of this message at this host. */
export async function hostStanding(
  context: Context,
  envelope: Envelope,
  request: StandingRequest,
): Promise<Standing> {
  if (request.force) return usable
  const { hints } = context.ports
  const now = context.ports.now()
  const expire = context.settings.retry_data_expire
  const keys = [messageRetryKey(request.key, envelope.id), request.key]
  for (const key of keys) {
    const record = readRetry(hints, key, now, expire)
    if (record === undefined || now >= record.nextTryAt) continue
    if (record.expired && request.tryAfterCutoff && record.lastTriedAt < envelope.receivedAt) continue
    if (await overdue(context, envelope, request, record, now)) continue
    return { is: record.expired ? 'expired' : 'waiting', until: record.nextTryAt }
  }
  return usable
}

/** A message that has waited longer than its rule's last cutoff is tried even if it is not yet time. */
async function overdue(
  context: Context,
  envelope: Envelope,
  request: StandingRequest,
  record: RetryRecord,
  now: number,
): Promise<boolean> {
  if (record.expired) return false
  const rule = await findRule(
    context.server.configuration.retry,
    {
      subject: request.hostName,
      alternative: request.domain,
      errno: record.errno,
      more: record.more,
      sender: envelope.sender,
    },
    context,
  )
  const cutoff = rule?.intervals.at(-1)?.cutoff
  return cutoff !== undefined && now - envelope.receivedAt > cutoff * 1000
}
