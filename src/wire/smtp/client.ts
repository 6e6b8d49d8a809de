/**
 * The client side of an SMTP or LMTP connection: bytes out, replies in; no policy.
 * One write a phase; the replies of a phase are awaited together. Source: RFC 5321, RFC 2920, RFC 2033.
 */
import type { Duplex } from 'node:stream'
import type { ByteString } from '../../base/text.ts'
import { ReplyReader, type SmtpReply } from './client-reply.ts'

/** Why no (more) replies come. */
export type Broken =
  | { readonly is: 'timeout' }
  | { readonly is: 'closed' }
  | { readonly is: 'error'; readonly error: Error }
  | { readonly is: 'malformed'; readonly text: ByteString }

/** Somebody who wants to see the dialogue. */
export interface DialogueWatch {
  /** Commands that leave together; secrets as stars. */
  sent(lines: readonly ByteString[]): void
  /** A message, or a piece of one. */
  message(): void
  received(reply: ByteString): void
  /** No more answers come to what was said. */
  broken(why: Broken): void
}

/** Replies that came, in order; `broken` when fewer came than were asked for. */
export interface Exchange {
  readonly replies: readonly SmtpReply[]
  readonly broken: Broken | undefined
}

/** What a server offers in its answer to EHLO. */
export interface Offers {
  readonly esmtp: boolean
  readonly pipelining: boolean
  readonly size: boolean
  readonly sizeLimit: number
  readonly eightBitMime: boolean
  readonly chunking: boolean
  readonly dsn: boolean
  readonly prdr: boolean
  readonly smtputf8: boolean
  readonly starttls: boolean
  readonly ignoreQuota: boolean
  /** Commands may come before the greeting. */
  readonly pipeConnect: boolean
  /** Mechanisms in upper case. */
  readonly auth: readonly string[]
}

export const noOffers: Offers = {
  esmtp: false,
  pipelining: false,
  size: false,
  sizeLimit: 0,
  eightBitMime: false,
  chunking: false,
  dsn: false,
  prdr: false,
  smtputf8: false,
  starttls: false,
  ignoreQuota: false,
  pipeConnect: false,
  auth: [],
}

/** Reads the answer to EHLO or LHLO. Source: RFC 5321 section 4.1.1.1. */
export function readOffers(text: ByteString): Offers {
  const names = new Map<string, string>()
  for (const line of text.split('\n').slice(1)) {
    const match = /^\d{3}[ -]([A-Za-z0-9][A-Za-z0-9-]*)[ =]?(.*)$/.exec(line)
    const name = match?.[1]?.toUpperCase()
    if (name !== undefined) names.set(name, `${names.get(name) ?? ''} ${match?.[2] ?? ''}`.trim())
  }
  const size = Number.parseInt(names.get('SIZE') ?? '', 10)
  return {
    esmtp: true,
    pipelining: names.has('PIPELINING'),
    size: names.has('SIZE'),
    sizeLimit: Number.isSafeInteger(size) ? size : 0,
    eightBitMime: names.has('8BITMIME'),
    chunking: names.has('CHUNKING'),
    dsn: names.has('DSN'),
    prdr: names.has('PRDR'),
    smtputf8: names.has('SMTPUTF8'),
    starttls: names.has('STARTTLS'),
    ignoreQuota: names.has('IGNOREQUOTA'),
    // X_PIPE_CONNECT is what Exim called it before 4.94.
    pipeConnect: names.has('PIPECONNECT') || /^\d{3}[ -]X_PIPE_CONNECT\b/im.test(text),
    auth: (names.get('AUTH') ?? '').toUpperCase().split(/[ =]+/).filter(Boolean),
  }
}

/** One connection. At most one exchange is under way at a time. */
export class SmtpClient {
  #stream: Duplex
  readonly #reader = new ReplyReader()
  #broken: Broken | undefined
  #wanted = 0
  #resolve: ((exchange: Exchange) => void) | undefined
  #timer: NodeJS.Timeout | undefined
  #tracedBody = false
  readonly #trace: ((line: ByteString) => void) | undefined
  /** Sees the dialogue from now on. */
  watch: DialogueWatch | undefined
  readonly #onData = (chunk: Buffer): void => {
    const before = this.#reader.replies.length
    this.#reader.push(chunk.toString('latin1'))
    // The limit is for each reply, and many may be awaited together.
    if (this.#reader.replies.length > before) this.#timer?.refresh()
    if (this.#reader.replies.length >= this.#wanted || this.#reader.malformed) this.#settle()
  }
  readonly #onEnd = (): void => this.#fail({ is: 'closed' })
  readonly #onError = (error: Error): void => this.#fail({ is: 'error', error })

  /** @param trace takes each line of the dialogue, for `-v` and `-d` */
  constructor(stream: Duplex, trace?: (line: ByteString) => void) {
    this.#stream = stream
    this.#trace = trace
    this.#listen()
  }

  /** The stream underneath: for addresses, and for the hand-over to TLS. */
  get stream(): Duplex {
    return this.#stream
  }

  /** False once the connection is closed or has failed. */
  get usable(): boolean {
    return this.#broken === undefined && !this.#stream.destroyed && this.#stream.writable
  }

  /** True when the server said something unasked. */
  get unasked(): boolean {
    return this.#reader.replies.length > 0 || this.#reader.pending
  }

  /**
   * Writes, then waits for `count` replies.
   * @param shown what a trace shows in place of it: a secret is not for everybody
   */
  exchange(
    bytes: ByteString | Uint8Array,
    count: number,
    timeoutMs: number,
    shown?: ByteString,
  ): Promise<Exchange> {
    if (shown === undefined) this.#traceSent(bytes)
    else this.#traceSent(`${shown}\r\n`)
    this.#put(bytes)
    return this.replies(count, timeoutMs)
  }

  /** Writes without waiting; false: wait for `drained` before writing more. */
  write(bytes: ByteString | Uint8Array): boolean {
    this.#traceSent(bytes)
    return this.#put(bytes)
  }

  #put(bytes: ByteString | Uint8Array): boolean {
    if (this.#broken !== undefined || this.#stream.destroyed) return true
    return typeof bytes === 'string' ? this.#stream.write(bytes, 'latin1') : this.#stream.write(bytes)
  }

  /** Holds writes back until `uncork`, so that they leave together. */
  cork(): void {
    this.#stream.cork()
  }

  uncork(): void {
    this.#stream.uncork()
  }

  /** Resolves true when what was written has left, false when it cannot or not in time. */
  drained(timeoutMs: number): Promise<boolean> {
    const stream = this.#stream
    if (!stream.writableNeedDrain) return Promise.resolve(this.usable)
    return new Promise((resolve) => {
      const done = (sent: boolean): void => {
        clearTimeout(timer)
        stream.off('drain', onDrain)
        stream.off('close', onClose)
        resolve(sent)
      }
      const onDrain = (): void => done(true)
      const onClose = (): void => done(false)
      const timer = limit(timeoutMs, () => {
        this.#fail({ is: 'timeout' })
        done(false)
      })
      stream.on('drain', onDrain)
      stream.on('close', onClose)
    })
  }

  /** Waits for `count` replies; those that came before something broke are given too. */
  replies(count: number, timeoutMs: number): Promise<Exchange> {
    if (this.#reader.replies.length >= count || this.#broken !== undefined) {
      return Promise.resolve(this.#take(count))
    }
    return new Promise((resolve) => {
      this.#wanted = count
      this.#resolve = resolve
      this.#timer = limit(timeoutMs, () => this.#fail({ is: 'timeout' }))
    })
  }

  /** Lets go of the stream, for TLS to take over; whatever was read ahead is forgotten. `upgrade` must follow. */
  handOver(): Duplex {
    this.#stream.off('data', this.#onData)
    this.#stream.off('end', this.#onEnd)
    this.#stream.off('close', this.#onEnd)
    this.#stream.off('error', this.#onError)
    // RFC 3207 section 6: what came in clear after the 220 must not count.
    this.#reader.clear()
    return this.#stream
  }

  /** Goes on over another stream, the TLS one. */
  upgrade(wrap: (stream: Duplex) => Duplex): void {
    this.#stream = wrap(this.handOver())
    this.#listen()
  }

  /** Says QUIT without waiting for the answer, and closes. */
  quit(): void {
    if (!this.usable) {
      this.destroy()
      return
    }
    const stream = this.#stream
    const timer = limit(2000, () => stream.destroy())
    timer?.unref()
    stream.once('close', () => clearTimeout(timer))
    stream.once('end', () => stream.destroy())
    this.#broken = { is: 'closed' }
    // An answer that nobody waits for explains nothing.
    this.watch = undefined
    this.#traceSent('QUIT\r\n')
    stream.end('QUIT\r\n', 'latin1')
  }

  destroy(): void {
    this.#broken ??= { is: 'closed' }
    this.#trace?.('  SMTP(close)>>')
    this.#stream.destroy()
  }

  /** Commands that leave together are marked `|` but for the last, as Exim does. */
  #traceSent(bytes: ByteString | Uint8Array): void {
    const trace = this.#trace
    const { watch } = this
    if (trace === undefined && watch === undefined) return
    if (typeof bytes !== 'string') {
      if (!this.#tracedBody) trace?.('  SMTP>> (writing message)')
      this.#tracedBody = true
      watch?.message()
      return
    }
    this.#tracedBody = false
    const lines = linesOf(bytes)
    watch?.sent(lines)
    if (trace === undefined) return
    for (const [i, line] of lines.entries()) trace(`  SMTP${i === lines.length - 1 ? '>>' : '|>'} ${line}`)
  }

  #listen(): void {
    this.#stream.on('data', this.#onData)
    this.#stream.on('end', this.#onEnd)
    this.#stream.on('close', this.#onEnd)
    this.#stream.on('error', this.#onError)
  }

  #fail(broken: Broken): void {
    this.#broken ??= broken
    if (this.#resolve !== undefined) this.#settle()
    if (broken.is !== 'closed') this.#stream.destroy()
  }

  #settle(): void {
    const resolve = this.#resolve
    if (resolve === undefined) return
    this.#resolve = undefined
    clearTimeout(this.#timer)
    this.#timer = undefined
    resolve(this.#take(this.#wanted))
  }

  #take(count: number): Exchange {
    const replies = this.#reader.replies.splice(0, count)
    for (const { text } of replies) {
      this.#trace?.(`  SMTP<< ${text.replaceAll('\n', '\n         ')}`)
      this.watch?.received(text)
    }
    if (this.#reader.malformed) {
      const bad = replies.findIndex((reply) => reply.code === 0)
      const text = bad < 0 ? this.#reader.partial : (replies[bad]?.text ?? '')
      this.#broken = { is: 'malformed', text }
      this.watch?.broken(this.#broken)
      return { replies: bad < 0 ? replies : replies.slice(0, bad), broken: this.#broken }
    }
    if (replies.length >= count) return { replies, broken: undefined }
    const broken = this.#broken ?? { is: 'closed' }
    this.watch?.broken(broken)
    return { replies, broken }
  }
}

function limit(timeoutMs: number, run: () => void): NodeJS.Timeout | undefined {
  return timeoutMs > 0 ? setTimeout(run, Math.min(timeoutMs, 2 ** 31 - 1)) : undefined
}

/** Most that is sent is one line. */
function linesOf(bytes: ByteString): ByteString[] {
  const end = bytes.length - 2
  if (end > 0 && bytes.indexOf('\r\n') === end) return [bytes.slice(0, end)]
  return bytes.split('\r\n').filter((line) => line !== '')
}
