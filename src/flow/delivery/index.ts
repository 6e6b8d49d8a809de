/** Delivery of messages: the entry for the daemon, the queue runner and the command line. */
import type { FreeConnection } from '../cutthrough-types.ts'
import type { Claim } from '../../store/spool/api.ts'
import type { DeliveryOptions } from './attempt.ts'
import { deliverMessage } from './deliver.ts'
import type { DeliveryDeps, Watched } from './deps.ts'
import { ConnectionPool } from './pool.ts'
import { UniqueClock } from './unique-clock.ts'
import { createTlsContexts } from '../../wire/tls/contexts.ts'
import { createTlsSessions } from '../../wire/tls/sessions.ts'
import type { DeliverySummary } from './results.ts'

export type { DeliveryOptions } from './attempt.ts'
export type { DeliveryDeps, Following, GeneratedMessage, RouteOptions, Submitted, Watched } from './deps.ts'
export type { DeliverySummary } from './results.ts'
export { createCallout } from './callout/callout.ts'
export { createCutthrough } from './callout/cutthrough.ts'
export { createQuotaCheck } from './quota-check.ts'
export { frozenFate, frozenLine } from './frozen.ts'
export { arrivedFrozen } from './reports/frozen-notice.ts'
export { transportDrivers } from './transports/index.ts'

export interface Delivery {
  /**
   * Tries to deliver what is left of a message. The claim is given back: completed or released.
   * Every step may be repeated after a crash.
   */
  deliver(claim: Claim, options?: DeliveryOptions, watched?: Watched): Promise<DeliverySummary>
  /** Takes in a connection for the next message to its host. */
  keep(free: FreeConnection): void
  /** Closes idle connections; those in use close when their message is done. */
  close(): void
}

export function createDelivery(deps: DeliveryDeps): Delivery {
  const shared = {
    pool: new ConnectionPool(),
    clock: new UniqueClock(),
    tls: { contexts: createTlsContexts(), sessions: createTlsSessions(() => Date.now()) },
  }
  return {
    deliver: (claim, options = {}, watched) => deliverMessage(claim, deps, shared, options, watched),
    keep: ({ poolKey, connection }) => shared.pool.adopt(poolKey, connection),
    close: () => shared.pool.close(),
  }
}
