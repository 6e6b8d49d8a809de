/**
 * Lines and pieces out of a stream of bytes, for code that reads straight on: `await reader.line(...)`.
 * Holds bytes only while they are there: an idle connection owns no buffer.
 */
import { type ByteString, fromBytes } from '../base/text.ts'

/** Why no more bytes come. */
export type InputEnd = 'closed' | 'reset' | 'timeout' | 'shutdown'

/** Where bytes come from: a socket, standard input, a test. */
export interface ByteSource {
  /**
   * The next piece. Waits at most `timeoutMs`; what was written before is sent first.
   * @param insideMessage the end of the server is not heeded: a message on its way may still be finished
   */
  pull(timeoutMs: number, insideMessage?: boolean): Promise<Buffer | InputEnd>
  /** A piece that has arrived already, without waiting. */
  take(): Buffer | undefined
}

export type LineResult =
  | { readonly is: 'line'; readonly text: ByteString; readonly crlf: boolean }
  /** Longer than the limit: the first `limit` bytes; the rest follows as the next line. */
  | { readonly is: 'part'; readonly text: ByteString }
  | { readonly is: 'end'; readonly why: InputEnd; readonly partial: ByteString }

const LF = 10
const CR = 13

export class LineReader {
  readonly #source: ByteSource
  #pending: Buffer | undefined
  /** Set by `push back` and by the end of input. */
  #ended: InputEnd | undefined

  constructor(source: ByteSource) {
    this.#source = source
  }

  /** Bytes that are here now and not yet read: what a synchronisation check looks at. */
  buffered(): Buffer | undefined {
    const arrived = this.#source.take()
    if (arrived !== undefined) this.unread(arrived, 'after')
    return this.#pending
  }

  /** Forgets what has arrived: after STARTTLS nothing sent in the clear is obeyed. */
  discard(): void {
    this.buffered()
    this.#pending = undefined
  }

  /** Gives bytes back, before or after what is pending. */
  unread(bytes: Buffer, where: 'before' | 'after' = 'before'): void {
    if (bytes.length === 0) return
    if (this.#pending === undefined) this.#pending = bytes
    else this.#pending = Buffer.concat(where === 'before' ? [bytes, this.#pending] : [this.#pending, bytes])
  }

  /** The next piece, as it came. */
  async piece(timeoutMs: number): Promise<Buffer | InputEnd> {
    const pending = this.#pending
    if (pending !== undefined) {
      this.#pending = undefined
      return pending
    }
    if (this.#ended !== undefined) return this.#ended
    const more = await this.#source.pull(timeoutMs, true)
    if (typeof more === 'string') this.#ended = more
    return more
  }

  /** The next line, ended by LF or CRLF, without its end. The time is for the whole of it; 0: no limit. */
  async line(limitBytes: number, timeoutMs: number): Promise<LineResult> {
    let searched = 0
    const until = performance.now() + timeoutMs
    for (;;) {
      const here = this.lineHere(limitBytes, searched)
      if (here !== undefined) return here
      searched = this.#pending?.length ?? 0
      this.came(
        await this.more(timeoutMs <= 0 ? timeoutMs : Math.max(1, Math.ceil(until - performance.now()))),
      )
    }
  }

  /** The next line, or the end, if it is here; undefined: more must come first. `searched` bytes hold no LF. */
  lineHere(limitBytes: number, searched: number = 0): LineResult | undefined {
    const pending = this.#pending
    if (pending !== undefined) {
      const end = pending.indexOf(LF, searched)
      if (end >= 0 && end <= limitBytes) return this.#takeLine(pending, end)
      if (pending.length > limitBytes) return this.#takePart(pending, limitBytes)
    }
    if (this.#ended === undefined) return undefined
    this.#pending = undefined
    return { is: 'end', why: this.#ended, partial: pending === undefined ? '' : fromBytes(pending) }
  }

  /** Part of a line is here. */
  get begun(): boolean {
    return this.#pending !== undefined
  }

  /** Waits for what comes next; it is to be given to `came`. No async function: see `runSession`. */
  more(timeoutMs: number): Promise<Buffer | InputEnd> {
    return this.#source.pull(timeoutMs)
  }

  /** What `more` brought. */
  came(piece: Buffer | InputEnd): void {
    if (typeof piece === 'string') this.#ended = piece
    else this.#pending = this.#pending === undefined ? piece : Buffer.concat([this.#pending, piece])
  }

  #takeLine(pending: Buffer, end: number): LineResult {
    const crlf = end > 0 && pending[end - 1] === CR
    const text = pending.toString('latin1', 0, crlf ? end - 1 : end)
    this.#pending = end + 1 < pending.length ? pending.subarray(end + 1) : undefined
    return { is: 'line', text, crlf }
  }

  #takePart(pending: Buffer, limit: number): LineResult {
    this.#pending = pending.subarray(limit)
    return { is: 'part', text: pending.toString('latin1', 0, limit) }
  }
}
