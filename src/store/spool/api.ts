/**
 * The spool as the rest of the house sees it: where a message lives from its commit until it is completed.
 *
 * Contract: when `commit` resolves, the message is on disk (fdatasync has returned) and survives a crash; when
 * `record` resolves, so do the marks. Every other step can be repeated. Writers of one process share their syncs.
 */
import type { ByteString } from '../../base/text.ts'
import type { Envelope, Header } from '../../mail/envelope.ts'

/** A message on its way into the spool. Bytes go to disk as they come, beyond 64 KB into a file of their own. */
export interface IncomingMessage {
  /** Exim's message id, final from the start. */
  readonly id: string
  /**
   * Takes the next piece of the body, LF line ends, without the header section.
   * Resolves when more may come (back-pressure); rejects with a `SpoolError` when the disk refuses.
   */
  write(piece: Uint8Array): void | Promise<void>
  /** The bytes so far: the first `limit` of them, for `$message_body` and content scanning. */
  peek(limit: number): Promise<Uint8Array>
  /** The last `limit` bytes so far. */
  peekEnd(limit: number): Promise<Uint8Array>
  /** The whole body so far as a stream, for scanners. */
  read(): AsyncIterable<Uint8Array>
  readonly size: number
  /** Makes it durable. After this the message exists. */
  commit(envelope: Envelope): Promise<SpooledMessage>
  /** Forgets it; nothing of it is left. */
  abort(): Promise<void>
}

/** A message in the spool, with what is known of it in memory. */
export interface SpooledMessage {
  readonly id: string
  readonly envelope: Envelope
  readonly bodySize: number
  /** The body, from `start` on: one piece when it is small, else pieces of at most 64 KB. */
  body(start?: number): AsyncIterable<Uint8Array>
  /** The body when it is in memory or small enough to be read at once (64 KB), else undefined. */
  smallBody(): Uint8Array | undefined | Promise<Uint8Array | undefined>
}

/** Changes to a message that are kept: the fields of the envelope that change while it is in the queue. */
export interface MessageUpdate {
  /** Addresses now done, added to those of before. */
  readonly done?: readonly ByteString[]
  /** null clears. */
  readonly frozenAt?: number | null
  readonly manuallyThawed?: boolean
  readonly firstDelivery?: boolean
  readonly warningCount?: number
  readonly sender?: ByteString
  readonly recipients?: Envelope['recipients']
  readonly headers?: readonly Header[]
  readonly queueName?: string
  readonly queueOnly?: boolean
  readonly extra?: Envelope['extra']
  /** When the queue runner should look at it next, milliseconds since 1970; kept in the index only. */
  readonly nextAttemptAt?: number
  /** Why it is still here, for the index only: `refused host.example`. */
  readonly reason?: string
}

/** A right to work on one message, held by one process; void when the process dies. */
export interface Claim {
  readonly id: string
  readonly message: SpooledMessage
  /** Puts marks on disk; resolves when they are safe. */
  record(update: MessageUpdate): Promise<void>
  /** Writes a line into the message log (`msglog`, what `-Mvl` shows), with its time stamp. Not synced. */
  log(line: ByteString): void
  /** All recipients are done and that is on disk: removes the message, its body and its message log. */
  complete(options?: { readonly keepLog?: boolean }): Promise<void>
  /** Leaves the message in the queue for others. */
  release(): void
}

/** One line of the queue listing; all of it comes from the index. */
export interface QueueEntry {
  readonly id: string
  readonly receivedAt: number
  /** Bytes, as `-bp` shows them: headers and body. */
  readonly size: number
  readonly sender: ByteString
  readonly frozen: boolean
  readonly frozenAt?: number
  readonly local: boolean
  readonly recipients: readonly { readonly address: ByteString; readonly done: boolean }[]
  /** Non-recipient addresses that are done (`-bpa` shows them). */
  readonly generated: readonly ByteString[]
  readonly queueName: string
  readonly nextAttemptAt: number
  readonly firstDelivery: boolean
  readonly claimedBy?: number
  readonly reason?: string
  /** Login of the untrusted local caller who set the sender, which `-bp` shows; else undefined. */
  readonly login?: ByteString
}

/** What a plain listing shows of a message. */
export interface ListedRow {
  readonly id: string
  readonly receivedAt: number
  readonly size: number
  readonly sender: ByteString
  readonly frozen: boolean
  readonly recipients: readonly ByteString[]
  /** Addresses that are done, those that are no recipients too. */
  readonly done: readonly ByteString[]
  readonly queueName: string
  /** As in `QueueEntry`; empty: none. */
  readonly login: ByteString
}

/** What a process that died was to deliver: ids of messages that are due. */
export interface LeftBehind {
  /** It was working on them. */
  readonly held: readonly string[]
  /** They have not been tried yet. */
  readonly untried: readonly string[]
}

export interface QueueQuery {
  /** `arrival` oldest first; `none` in the order that costs least. */
  readonly order?: 'arrival' | 'none'
  readonly from?: string
  readonly to?: string
  readonly queueName?: string
  /** Only those whose next attempt is due at this time. */
  readonly dueAt?: number
}

/** What a queue run looks at in a frozen message that nobody works on. */
export interface FrozenRow {
  readonly id: string
  readonly receivedAt: number
  readonly sender: ByteString
  readonly frozenAt: number
}

export interface Spool {
  readonly directory: string
  /** Reserves an id and takes bytes. `id`: only for a message that has one already (import). */
  begin(options?: { readonly sizeHint?: number; readonly id?: string }): IncomingMessage
  /** Takes the right to work on a message; undefined: not there, or another process has it. */
  claim(id: string): Claim | undefined | Promise<Claim | undefined>
  /** Claims a message that this process has just committed, without reading it again. */
  claimCommitted(message: SpooledMessage): Claim | undefined
  /** Reads a message without claiming it. */
  read(id: string): Promise<SpooledMessage | undefined>
  messageLog(id: string): Promise<ByteString | undefined>
  entry(id: string): QueueEntry | undefined
  list(query?: QueueQuery): Iterable<QueueEntry>
  /**
   * The same without the frozen messages that nobody works on and `leaves` says true to: those are hardly read.
   * Undefined: others may have their turn, so many have been left.
   */
  listUnless(leaves: (row: FrozenRow) => boolean, query: QueueQuery): Iterable<QueueEntry | undefined>
  /** The next rows of a long listing, at least one if there is one; ids after `after`. Quicker than `list`. */
  page(after: string | undefined, rows: number): readonly ListedRow[]
  count(queueName?: string): number
  /** What was set aside as damaged, with the reason. */
  readonly damaged: readonly { readonly what: string; readonly why: string }[]
  /** Free bytes and inodes of the file system, for `check_spool_space`. */
  space(): { readonly freeBytes: number; readonly freeInodes: number }
  /** Takes over from processes that have died now; else it happens within seconds. */
  takeOver(): Promise<void>
  /** Waits for what is under way, syncs, marks the index clean, gives the segments up. */
  close(): Promise<void>
}

/** The disk refused. `temporary` errors are answered with 452 or 451 and may pass; after a failed sync nothing is taken any more. */
export class SpoolError extends Error {
  readonly code: 'full' | 'io' | 'sync-failed' | 'closed' | 'read-only' | 'descriptors'
  constructor(code: 'full' | 'io' | 'sync-failed' | 'closed' | 'read-only' | 'descriptors', message: string) {
    super(message)
    this.code = code
  }
}
