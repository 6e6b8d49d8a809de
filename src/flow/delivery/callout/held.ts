/**
 * A connection on which a transaction was begun for the recipients of a message under reception, kept for further
 * recipients and for the message. Source: Exim manual, callout option "hold" and `control = cutthrough_delivery`.
 */
import type { ByteString } from '../../../base/text.ts'
import type { MessageFacts } from '../../../ports.ts'
import type { CalloutTarget } from '../../callout-types.ts'
import { type FreeConnection, heldKey, type HeldOpen } from '../../cutthrough-types.ts'
import type { PooledConnection } from '../pool.ts'
import type { Place } from '../transports/smtp-hosts.ts'
import { quitCallout } from './open.ts'

/** Beyond, the delivery opens a connection of its own. */
const resetMs = 5000

export class Held implements HeldOpen {
  readonly connection: PooledConnection
  /** Under which deliveries find it. */
  readonly poolKey: string
  readonly place: Place
  readonly transportName: string
  readonly sender: ByteString
  /** Those whose RCPT was accepted, in order. */
  readonly targets: CalloutTarget[] = []
  /** Of the last RCPT. */
  lastAt = 0

  constructor(
    connection: PooledConnection,
    poolKey: string,
    place: Place,
    transportName: string,
    sender: ByteString,
  ) {
    this.connection = connection
    this.poolKey = poolKey
    this.place = place
    this.transportName = transportName
    this.sender = sender
  }

  get usable(): boolean {
    return this.connection.client.usable && !this.connection.client.unasked
  }

  fits(place: Place, transportName: string, sender: ByteString): boolean {
    return (
      this.usable &&
      this.place.address === place.address &&
      this.place.port === place.port &&
      this.transportName === transportName &&
      this.sender === sender
    )
  }

  /** Ends the transaction: a delivery may begin its own. */
  async free(): Promise<FreeConnection | undefined> {
    const { client } = this.connection
    if (this.usable) {
      const { replies } = await client.exchange('RSET\r\n', 1, resetMs)
      if (replies[0]?.code === 250 && this.usable)
        return { poolKey: this.poolKey, connection: this.connection }
    }
    this.close()
    return undefined
  }

  close(): void {
    quitCallout(this.connection)
  }
}

export function heldOf(message: MessageFacts | undefined): Held | undefined {
  const found = message?.extra.get(heldKey)
  return found instanceof Held ? found : undefined
}

/** Keeps a connection with its message; another one that was kept is closed. */
export function hold(message: MessageFacts, held: Held): void {
  const before = heldOf(message)
  if (before !== held) before?.close()
  message.extra.set(heldKey, held)
}

export function letGo(message: MessageFacts | undefined): void {
  heldOf(message)?.close()
  message?.extra.delete(heldKey)
}
