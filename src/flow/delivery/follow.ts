/**
 * After a message was sent: others that wait for the same host follow on the same connection, one after the other.
 * Source: Exim manual, "Outgoing SMTP and LMTP over TCP/IP", `connection_max_messages`.
 */
import type { Hints } from '../../ports.ts'
import type { DeliveryDeps } from './deps.ts'
import type { ConnectionPool, PooledConnection } from './pool.ts'
import { takeWaiting, waitingFor } from './waiting.ts'

/** A connection that goes from one message to the next. */
export interface HandedConnection {
  readonly transportName: string
  readonly place: { readonly name: string; readonly address: string; readonly port: number }
  /** Under which the pool counts it. */
  readonly poolKey: string
  /** Undefined while a delivery uses it, and once it is closed. */
  connection: PooledConnection | undefined
}

/** Looked up at once. */
const idsAtOnce = 50

/**
 * Sends what waits for the host down the connection, until nothing waits or the connection is used up.
 * False: nothing waits, and the connection is still the caller's.
 */
export function followOn(handed: HandedConnection, { deps, pool, hints, queueName }: FollowRoom): boolean {
  const { following } = deps
  if (following === undefined) return false
  const { transportName, place } = handed
  const first = waitingFor(hints, transportName, place.name, '', idsAtOnce)
  if (first.length === 0) return false
  following.begin(async () => {
    try {
      await sendAll(handed, first, { deps, pool, hints, queueName })
    } finally {
      const { connection } = handed
      handed.connection = undefined
      if (connection !== undefined) pool.give(handed.poolKey, connection)
    }
  })
  return true
}

export interface FollowRoom {
  readonly deps: Pick<DeliveryDeps, 'following'>
  readonly pool: ConnectionPool
  readonly hints: Hints
  /** Messages of this queue follow. */
  readonly queueName: string
}

async function sendAll(
  handed: HandedConnection,
  first: readonly string[],
  { deps, pool, hints, queueName }: FollowRoom,
): Promise<void> {
  const { transportName, place, poolKey } = handed
  let ids = first
  while (ids.length > 0) {
    for (const id of ids) {
      // Others have a message in hand for this host: they need not wait for all of the list.
      if (handed.connection === undefined || pool.wanted(poolKey)) return
      const fits = deps.following?.fits(id, queueName) ?? 'never'
      if (fits === 'not now') continue
      if (!(await takeWaiting(hints, transportName, place.name, id)) || fits === 'never') continue
      await deps.following?.deliver(id, handed)
    }
    ids = waitingFor(hints, transportName, place.name, ids.at(-1) ?? '', idsAtOnce)
  }
}
