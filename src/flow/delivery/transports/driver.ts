/** What a transport driver is: one row of the index. */
import type { Report } from '../../../base/diagnostic.ts'
import type { Awaitable } from '../../../base/outcome.ts'
import type { ByteString } from '../../../base/text.ts'
import type { TransportInstance } from '../../../language/config/configuration.ts'
import type { OptionTable } from '../../../language/config/options/table.ts'
import type { Context } from '../../../ports.ts'
import type { Claim } from '../../../store/spool/api.ts'
import type { RoutedAddress } from '../../routed.ts'
import type { DeliveryDeps } from '../deps.ts'
import type { HandedConnection } from '../follow.ts'
import type { BatchLimits } from '../group.ts'
import type { TlsClientRoom } from './smtp-tls.ts'
import type { ConnectionPool } from '../pool.ts'
import type { UniqueClock } from '../unique-clock.ts'
import type { TransportResult } from '../results.ts'

/** Addresses that are delivered together. */
export interface Batch {
  readonly transport: TransportInstance
  /** At least one. */
  readonly addresses: readonly RoutedAddress[]
  /** The envelope sender of this copy, before the transport's own `return_path`. */
  readonly returnPath: ByteString
  /** When nothing of it was tried before and hosts' retry times do not count (`-qf`, `-M`). */
  readonly force: boolean
}

export interface DeliveryEnvironment {
  readonly deps: DeliveryDeps
  readonly claim: Claim
  readonly pool: ConnectionPool
  readonly clock: UniqueClock
  readonly tls: TlsClientRoom
  /** The connection that this attempt is for. */
  readonly handed?: HandedConnection | undefined
}

export interface TransportDriver {
  readonly name: string
  readonly doc: string
  readonly options: OptionTable
  /** Local ones run one after the other, before all remote ones. */
  readonly local: boolean
  /** Reports settings that cannot work together; called once at load. */
  check(instance: TransportInstance, report: Report): void
  /** How addresses may be put together. */
  limits(routed: RoutedAddress, context: Context): Awaitable<BatchLimits>
  /** Of an address that is left for a queue run: notes which hosts it waits for. */
  leave?(routed: RoutedAddress, context: Context, id: string): Promise<void>
  run(batch: Batch, context: Context, environment: DeliveryEnvironment): Promise<TransportResult>
}
