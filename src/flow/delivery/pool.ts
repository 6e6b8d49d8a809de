/**
 * Connections kept for the next message to the same host. A connection is kept for a short while only, and no
 * longer than `connection_max_messages` allows; at most `mostPerHost` are open to one place, others wait. Nobody waits for a
 * place where nothing moves: a host that accepts and never answers holds up its own messages only.
 */
import type { ByteString } from '../../base/text.ts'
import type { TlsFacts } from '../../ports.ts'
import type { Offers, SmtpClient } from '../../wire/smtp/client.ts'

export interface PooledConnection {
  readonly client: SmtpClient
  readonly offers: Offers
  /** EHLO left before the greeting came. */
  readonly early?: boolean
  /** Tells that it was closed. */
  readonly closed?: () => void
  /** Messages sent over it so far. */
  messages: number
  readonly localAddress: string | undefined
  readonly localPort: number | undefined
  /** Undefined: in clear. */
  readonly tls: TlsFacts | undefined
  /** As whom the server knows us; undefined: not authenticated. */
  readonly authenticated?: { readonly name: string; readonly id: ByteString | undefined } | undefined
  /** What authentication depended on, when it depends on the message; only messages of the same go on with it. */
  readonly identity?: string
}

/** Connections are exchanged for each other where all of this is the same. */
export function poolKeyOf(
  transportName: string,
  place: { readonly name: string; readonly address: string; readonly port: number },
  session: {
    readonly localAddress: string | undefined
    readonly helo: ByteString
    readonly trafficOctet?: number | undefined
    readonly tls?: { readonly policyKey: string } | undefined
  },
): string {
  const { localAddress = '', helo, tls, trafficOctet = '' } = session
  return `${transportName} ${place.name} ${place.address} ${place.port} ${localAddress} ${helo} ${trafficOctet} ${tls?.policyKey ?? ''}`
}

interface Place {
  readonly idle: { readonly connection: PooledConnection; readonly timer: NodeJS.Timeout }[]
  open: number
  readonly waiting: Set<(turn: 'go' | 'busy') => void>
  /** When a connection was last given back or dropped, or the first was opened. */
  movedAt: number
}

export interface PoolLimits {
  readonly idleMs: number
  readonly mostPerHost: number
  /** All connections of a place being in use for so long means that it is stuck. */
  readonly stuckMs: number
}

export class ConnectionPool {
  readonly #places = new Map<string, Place>()
  readonly #limits: PoolLimits
  #closed = false

  constructor(limits: PoolLimits = { idleMs: 300, mostPerHost: 40, stuckMs: 10_000 }) {
    this.#limits = limits
  }

  /**
   * A kept connection, or undefined: the caller may open one. Either way `give` or `drop` must follow.
   * `busy`: all are in use and nothing moves there; nothing must follow.
   */
  async take(key: string): Promise<PooledConnection | undefined | 'busy'> {
    const place = this.#place(key)
    for (;;) {
      const kept = place.idle.pop()
      if (kept !== undefined) {
        clearTimeout(kept.timer)
        if (kept.connection.client.usable && !kept.connection.client.unasked) return kept.connection
        kept.connection.client.destroy()
        kept.connection.closed?.()
        place.open--
        continue
      }
      if (place.open < this.#limits.mostPerHost) {
        place.open++
        return undefined
      }
      if ((await this.#turn(place)) === 'busy') return 'busy'
    }
  }

  /** Waits until a connection of a place is free, or the place is stuck. */
  #turn(place: Place): Promise<'go' | 'busy'> {
    return new Promise((resolve) => {
      const { stuckMs } = this.#limits
      let timer: NodeJS.Timeout | undefined
      const take = (turn: 'go' | 'busy'): void => {
        clearTimeout(timer)
        place.waiting.delete(take)
        resolve(turn)
      }
      const look = (): void => {
        const left = place.movedAt + stuckMs - performance.now()
        if (left <= 0) take('busy')
        else timer = setTimeout(look, left)
      }
      place.waiting.add(take)
      look()
    })
  }

  /** Gives a connection back for the next message. */
  give(key: string, connection: PooledConnection): void {
    const place = this.#place(key)
    if (this.#closed || !connection.client.usable || connection.client.unasked) {
      this.drop(key, connection)
      return
    }
    const timer = setTimeout(() => {
      const at = place.idle.findIndex((kept) => kept.connection === connection)
      if (at < 0) return
      place.idle.splice(at, 1)
      this.drop(key, connection)
    }, this.#limits.idleMs)
    place.idle.push({ connection, timer })
    wakeOne(place)
  }

  /** Tells that a place taken is free again; closes the connection if there is one. */
  drop(key: string, connection?: PooledConnection): void {
    connection?.client.quit()
    connection?.closed?.()
    const place = this.#places.get(key)
    if (place === undefined) return
    place.open--
    if (!wakeOne(place) && place.open === 0) this.#places.delete(key)
  }

  /** Takes in a connection that was opened elsewhere, for the next message. */
  adopt(key: string, connection: PooledConnection): void {
    this.#place(key).open++
    this.give(key, connection)
  }

  /** Somebody waits for a connection to this place. */
  wanted(key: string): boolean {
    return (this.#places.get(key)?.waiting.size ?? 0) > 0
  }

  /** Nobody could be spoken to there: those who wait for the place need not try it, too. Before `drop`. */
  failed(key: string): void {
    const place = this.#places.get(key)
    for (const take of place?.waiting ?? []) take('busy')
  }

  /** How many are kept or in use. */
  get size(): number {
    let n = 0
    for (const place of this.#places.values()) n += place.open
    return n
  }

  /** Closes what is idle; what is in use closes when given back. */
  close(): void {
    this.#closed = true
    for (const [key, place] of this.#places) {
      for (const kept of place.idle.splice(0)) {
        clearTimeout(kept.timer)
        this.drop(key, kept.connection)
      }
    }
  }

  #place(key: string): Place {
    let place = this.#places.get(key)
    if (place === undefined) {
      place = { idle: [], open: 0, waiting: new Set(), movedAt: performance.now() }
      this.#places.set(key, place)
    }
    return place
  }
}

function wakeOne(place: Place): boolean {
  place.movedAt = performance.now()
  const [first] = place.waiting
  first?.('go')
  return first !== undefined
}
