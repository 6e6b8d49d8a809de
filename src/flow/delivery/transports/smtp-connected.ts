/** What expansions know once a connection stands: `$host` and its kin, the `$tls_out_...` variables. */
import { type Expandable, expandedTexts } from '../../../base/expandable.ts'
import type { TransportSettings } from '../../../language/config/options/transport.ts'
import type { Context } from '../../../ports.ts'
import { deliveryFacts } from '../../delivery-facts.ts'
import type { PooledConnection } from '../pool.ts'
import type { Place } from './smtp-hosts.ts'

/** Source: Exim manual, "Use of the $host and $host_address variables". */
export function connectedContext(
  context: Context,
  place: Place,
  connection: PooledConnection | undefined,
): Context {
  const known = context.delivery ?? deliveryFacts('', '')
  const delivery = { ...known, host: place.name, hostAddress: place.address, hostPort: place.port }
  const tls = connection?.tls
  return { ...context, delivery: tls === undefined ? delivery : { ...delivery, tls } }
}

/** Headers of the transport that tell of the connection are made once it stands. */
export function headersWait(settings: Pick<TransportSettings, 'headers_add' | 'headers_remove'>): boolean {
  return [settings.headers_add, settings.headers_remove].some((option) =>
    [...expandedTexts(option)].some(namesConnection),
  )
}

function namesConnection({ text }: Expandable): boolean {
  return /\$\{?(?:tls_out_|host(?:_address|_port)?\b)/.test(text)
}
