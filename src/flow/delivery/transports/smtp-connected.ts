/** What expansions know once a connection stands: `$host` and its kin, the `$tls_out_...` variables. */
import { type Expandable, expandedTexts } from '../../../base/expandable.ts'
import type { Failure } from '../../../base/outcome.ts'
import type { ByteString } from '../../../base/text.ts'
import type { TransportSettings } from '../../../language/config/options/transport.ts'
import type { Context } from '../../../ports.ts'
import { deliveryFacts } from '../../delivery-facts.ts'
import { expandedBytes } from '../expanding.ts'
import type { PooledConnection } from '../pool.ts'
import type { Place } from './smtp-hosts.ts'

/** Source: Exim manual, "Use of the $host and $host_address variables". */
export function connectedContext(
  context: Context,
  place: Place,
  connection: (Ends & Pick<Partial<PooledConnection>, 'tls'>) | undefined,
): Context {
  const known = context.delivery ?? deliveryFacts('', '')
  const delivery = { ...known, host: place.name, hostAddress: place.address, hostPort: place.port }
  if (connection === undefined) return { ...context, delivery }
  const { tls, localAddress, localPort } = connection
  const ours = { ...delivery, sendingAddress: localAddress, sendingPort: localPort }
  return { ...context, delivery: tls === undefined ? ours : { ...ours, tls } }
}

/** Our end of a connection. */
type Ends = Pick<PooledConnection, 'localAddress' | 'localPort'>

/** `helo_data` that tells of the connection is expanded once it stands; undefined: before. */
export function heloAt(
  option: Expandable | undefined,
  place: Place,
  context: Context,
): ((connection: Ends) => Promise<ByteString | Failure>) | undefined {
  if (!heloWaits(option)) return undefined
  return async (connection) => {
    const value = await expandedBytes(option, connectedContext(context, place, connection))
    return value ?? context.server.primaryHostname
  }
}

export function heloWaits(option: Expandable | undefined): boolean {
  return option !== undefined && namesConnection(option)
}

/** Headers of the transport that tell of the connection are made once it stands. */
export function headersWait(settings: Pick<TransportSettings, 'headers_add' | 'headers_remove'>): boolean {
  return [settings.headers_add, settings.headers_remove].some((option) =>
    [...expandedTexts(option)].some(namesConnection),
  )
}

function namesConnection({ text }: Expandable): boolean {
  return /\$\{?(?:tls_out_|sending_|host(?:_address|_port)?\b)/.test(text)
}
