/**
 * Early pipelining: EHLO leaves with the connection, before the greeting, to hosts that have said they bear it.
 * Source: Exim manual, "hosts_pipe_connect".
 */
import type { TransportInstance } from '../../../language/config/configuration.ts'
import type { Context } from '../../../ports.ts'
import { hostListed } from '../expanding.ts'
import type { Place } from './smtp-hosts.ts'
import type { SmtpSettings } from './smtp.options.ts'

export interface EarlyWish {
  /** EHLO may leave at once. */
  readonly known: boolean
  /** Keeps what the host says of it now; false: it does not bear it, or the connection broke. */
  tell(offered: boolean): void
}

/** Undefined: the host is not in `hosts_pipe_connect`. */
export async function earlyWish(
  place: Place,
  settings: TransportInstance<SmtpSettings>['settings'],
  context: Context,
): Promise<EarlyWish | undefined> {
  const host = { address: place.address, name: place.name }
  if (!(await hostListed(settings.hosts_pipe_connect, host, context))) return undefined
  const { ports } = context
  const { hints } = ports
  const key = `pipe_connect ${place.address} ${place.port}`
  const known = knownAt(hints.get('misc', key))
  const expireMs = context.settings.retry_data_expire * 1000
  return {
    known: known !== undefined && ports.now() - known <= expireMs,
    tell(offered) {
      if (offered) hints.put('misc', key, { offeredAt: ports.now() })
      else if (known !== undefined) hints.remove('misc', key)
    },
  }
}

function knownAt(value: unknown): number | undefined {
  const at: unknown =
    typeof value === 'object' && value !== null ? Reflect.get(value, 'offeredAt') : undefined
  return typeof at === 'number' ? at : undefined
}
