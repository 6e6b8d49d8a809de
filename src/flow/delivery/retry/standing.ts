/** May a host be tried now? Source: Exim manual, "Retry configuration", "Long-term failures". */
import type { Envelope } from '../../../mail/envelope.ts'
import type { Context } from '../../../ports.ts'
import { messageRetryKey, readRetry } from './record.ts'

/** `waiting`: its retry time is not reached; `expired`: neither, and it has failed for too long. */
export type Standing = 'usable' | 'waiting' | 'expired'

/** Looks at the host's record, and at that of this message at this host. */
export function hostStanding(context: Context, envelope: Envelope, key: string, force: boolean): Standing {
  if (force) return 'usable'
  const now = context.ports.now()
  const expire = context.settings.retry_data_expire
  const own = readRetry(context.ports.hints, messageRetryKey(key, envelope.id), now, expire)
  if (own !== undefined && now < own.nextTryAt) return own.expired ? 'expired' : 'waiting'
  const record = readRetry(context.ports.hints, key, now, expire)
  if (record === undefined || now >= record.nextTryAt) return 'usable'
  return record.expired ? 'expired' : 'waiting'
}
