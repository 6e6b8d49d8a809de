/**
 * A connection on which a transaction was begun for the recipients of a message under reception, kept for further
 * recipients and for the message. Source: Exim manual, callout option "hold" and `control = cutthrough_delivery`.
 */
import type { ByteString } from '../../../base/text.ts'
import type { MessageFacts } from '../../../ports.ts'
import type { CalloutTarget } from '../../callout-types.ts'
import { heldKey, type HeldOpen } from '../../cutthrough-types.ts'
import type { PooledConnection } from '../pool.ts'
import type { Place } from '../transports/smtp-hosts.ts'

export class Held implements HeldOpen {
  readonly connection: PooledConnection
  readonly place: Place
  readonly transportName: string
  readonly sender: ByteString
  /** Those whose RCPT was accepted, in order. */
  readonly targets: CalloutTarget[] = []
  /** Of the last RCPT. */
  lastAt = 0

  constructor(connection: PooledConnection, place: Place, transportName: string, sender: ByteString) {
    this.connection = connection
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

  close(): void {
    this.connection.client.quit()
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
