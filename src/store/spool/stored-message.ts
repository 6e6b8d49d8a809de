/** Messages as they stand in the spool: their envelope with all that was recorded since, and their body. */
import type { Envelope } from '../../mail/envelope.ts'
import type { MessageUpdate, SpooledMessage } from './api.ts'
import { closeFile, openFile, readAt, spoolError } from './disk.ts'
import type { Location } from './journal.ts'
import type { IndexEntry } from './queue-index.ts'

/** The largest body that travels in its record; a larger one has a file of its own. */
export const recordBodyLimit = 64 * 1024
const pieceBytes = 64 * 1024

/** The JSON part of a message record. */
export interface MessageJson {
  readonly envelope: Envelope
  /** Name of the body's file below `bodies/`. */
  readonly bodyFile?: string
  readonly bodySize: number
}

/** Where a body is. */
export type BodyPlace =
  | { readonly is: 'memory'; readonly bytes: Uint8Array }
  | { readonly is: 'file'; readonly path: string; readonly size: number }

export class StoredMessage implements SpooledMessage {
  readonly id: string
  readonly envelope: Envelope
  readonly bodySize: number
  readonly #body: BodyPlace

  constructor(id: string, envelope: Envelope, body: BodyPlace) {
    this.id = id
    this.envelope = envelope
    this.#body = body
    this.bodySize = body.is === 'memory' ? body.bytes.length : body.size
  }

  /** The same message with another envelope. */
  with(envelope: Envelope): StoredMessage {
    return new StoredMessage(this.id, envelope, this.#body)
  }

  body(start: number = 0): AsyncIterable<Uint8Array> {
    return readBody(this.#body, start)
  }

  smallBody(): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    const place = this.#body
    if (place.is === 'memory') return place.bytes
    return place.size <= recordBodyLimit ? readPart(place, 0, place.size) : undefined
  }
}

export async function* readBody(place: BodyPlace, start: number): AsyncGenerator<Uint8Array> {
  if (place.is === 'memory') {
    if (start < place.bytes.length) yield place.bytes.subarray(start)
    return
  }
  const fd = await openFile(place.path).catch((error: unknown) => {
    throw spoolError(error, 'opening a body file')
  })
  try {
    for (let at = start; at < place.size; ) {
      const piece = await readAt(fd, at, Math.min(pieceBytes, place.size - at))
      if (piece.length === 0) throw spoolError(new Error(`it ends at ${at}`), `reading ${place.path}`)
      yield piece
      at += piece.length
    }
  } finally {
    await closeFile(fd)
  }
}

/** Some bytes of a body file. */
export async function readPart(
  place: BodyPlace & { is: 'file' },
  start: number,
  length: number,
): Promise<Buffer> {
  const fd = await openFile(place.path)
  try {
    return await readAt(fd, start, length)
  } finally {
    await closeFile(fd)
  }
}

/** The envelope after an update. */
export function updateEnvelope(envelope: Envelope, update: MessageUpdate): Envelope {
  const { done, frozenAt, nextAttemptAt: _next, reason: _reason, ...fields } = update
  const { frozenAt: before, ...rest } = envelope
  const frozen = frozenAt === undefined ? before : (frozenAt ?? undefined)
  const after: Envelope = { ...rest, ...defined(fields) }
  return {
    ...after,
    ...(frozen === undefined ? {} : { frozenAt: frozen }),
    ...(done === undefined ? {} : { done: [...new Set([...envelope.done, ...done])] }),
  }
}

/** Only the fields that have a value: an undefined one says nothing. */
function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const kept = Object.entries(fields).filter(([, value]) => value !== undefined)
  // Same names, same values, fewer of them.
  return Object.fromEntries(kept) as { [K in keyof T]?: Exclude<T[K], undefined> }
}

/** True when an update says something that must survive a crash. */
export function mustBeKept(update: MessageUpdate): boolean {
  return Object.keys(update).some((name) => name !== 'nextAttemptAt' && name !== 'reason')
}

/** Bytes of headers and body, as the queue listing shows them. Deleted headers do not count. */
function listedSize(envelope: Envelope, bodySize: number): number {
  let size = bodySize
  for (const header of envelope.headers) if (header.type !== '*') size += header.text.length
  return size
}

/** What the index holds of a message. */
export function indexEntry(
  envelope: Envelope,
  kept: {
    readonly sequence: number
    readonly parts: readonly Location[]
    readonly origins: readonly string[]
    readonly bodyFile: string
    readonly bodySize: number
    readonly nextAttemptAt: number
    readonly reason: string
    readonly claimedBy: string
  },
): IndexEntry {
  return {
    receivedAt: envelope.receivedAt,
    size: listedSize(envelope, kept.bodySize),
    sender: envelope.sender,
    local: envelope.local,
    firstDelivery: envelope.firstDelivery,
    frozenAt: envelope.frozenAt,
    recipients: envelope.recipients.map(({ address }) => address),
    done: envelope.done,
    queueName: envelope.queueName ?? '',
    login: envelope.senderSetUntrusted === true ? envelope.originator.login : '',
    ...kept,
  }
}
