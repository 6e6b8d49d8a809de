/**
 * What reception asks of delivery when a message is to be handed on before it is accepted.
 * Source: Exim manual, `control = cutthrough_delivery`.
 */
import type { ByteString } from '../base/text.ts'
import type { Envelope, Header } from '../mail/envelope.ts'
import type { Context, MessageFacts } from '../ports.ts'
import type { PooledConnection } from './delivery/pool.ts'

/** Under which a message keeps its open connection. */
export const heldKey = 'held connection'

export interface HeldOpen {
  close(): void
  /** Ends the transaction on it; undefined: the connection is of no more use. */
  free(): Promise<FreeConnection | undefined>
}

/** A connection without a transaction, and under which key deliveries look for it. */
export interface FreeConnection {
  readonly poolKey: string
  readonly connection: PooledConnection
}

/** Takes what a message holds open out of it: its delivery may use the connection. */
export function takeHeld(message: MessageFacts): HeldOpen | undefined {
  const held = message.extra.get(heldKey)
  message.extra.delete(heldKey)
  // Only delivery stores under this key.
  return held as HeldOpen | undefined
}

/** Ends what a message holds open, if anything. */
export function closeHeld(message: MessageFacts): void {
  takeHeld(message)?.close()
}

/** What the host said to one more recipient. */
export type CutthroughRecipient =
  | { readonly is: 'ready' }
  /** This message is delivered the usual way. */
  | { readonly is: 'not possible' }
  | {
      readonly is: 'refused'
      readonly temporary: boolean
      readonly reply: ByteString
      readonly logMessage: ByteString
    }

export interface CutthroughMessage {
  readonly envelope: Envelope
  readonly headers: readonly Header[]
  read(): AsyncIterable<Uint8Array>
}

/** What the host said to the message. `lines`: for the log, one a recipient, without the marks of a delivery. */
export type CutthroughResult =
  | { readonly is: 'not possible' }
  | {
      readonly is: 'accepted' | 'refused' | 'deferred'
      readonly code: number
      readonly reply: ByteString
      /** ` R=far T=out S=253 H=... C="..." QT=0s DT=0s` after the address and its sender. */
      readonly recipients: readonly { readonly address: ByteString; readonly fields: ByteString }[]
    }

export interface CutthroughService {
  recipient(address: ByteString, context: Context): Promise<CutthroughRecipient>
  send(message: CutthroughMessage, context: Context): Promise<CutthroughResult>
}
