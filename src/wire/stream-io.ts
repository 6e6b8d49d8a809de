/**
 * A dialogue over Node streams: a socket, or standard input and output. Replies are gathered and sent together
 * when the session waits for input, so pipelined commands are answered in one packet.
 * Source: RFC 2920 section 3.2.
 */
import type { Readable, Writable } from 'node:stream'
import { type ByteString, toBytes } from '../base/text.ts'
import type { IdleWatch, Waiter } from './idle-watch.ts'
import { type ByteSource, type InputEnd, LineReader } from './line-reader.ts'

/** Input that waits in memory before reading stops until it is taken. */
const inputHighWaterBytes = 65_536
/** Output that a client has not taken; beyond it nothing more is read from it. */
const outputHighWaterBytes = 65_536

export interface StreamIoOptions {
  readonly input: Readable
  readonly output: Writable
  readonly watch: IdleWatch
  /** When it fires, a session that waits for a command reads `shutdown`. */
  readonly shutdown?: AbortSignal | undefined
  /** Bytes that were read before (beyond a PROXY header). */
  readonly head?: Buffer | undefined
}

export class StreamIo implements ByteSource, Waiter {
  readonly reader: LineReader
  deadline = 0
  #input: Readable
  #output: Writable
  readonly #watch: IdleWatch
  readonly #shutdown: AbortSignal | undefined
  #arrived: Buffer | undefined
  #ended: InputEnd | undefined
  #waiting: ((piece: Buffer | InputEnd) => void) | undefined
  #out = ''
  readonly #onData = (piece: Buffer): void => this.#data(piece)
  readonly #onEnd = (): void => this.#finish('closed')
  readonly #onError = (): void => this.#finish('reset')
  readonly #onAbort = (): void => this.#wake('shutdown')

  constructor(options: StreamIoOptions) {
    this.#input = options.input
    this.#output = options.output
    this.#watch = options.watch
    this.#shutdown = options.shutdown
    this.reader = new LineReader(this)
    if (options.head !== undefined) this.reader.unread(options.head)
    this.#attach()
  }

  /** Adds to what will be sent with the next `flush` or wait. */
  write(text: ByteString): void {
    this.#out += text
    if (this.#out.length > outputHighWaterBytes) this.flush()
  }

  flush(): void {
    if (this.#out === '') return
    const out = this.#out
    this.#out = ''
    if (!this.#output.destroyed && this.#output.writable) this.#output.write(toBytes(out))
  }

  take(): Buffer | undefined {
    const arrived = this.#arrived
    this.#arrived = undefined
    return arrived
  }

  async pull(timeoutMs: number, insideMessage: boolean = false): Promise<Buffer | InputEnd> {
    this.flush()
    const arrived = this.take()
    if (arrived !== undefined) return arrived
    if (this.#ended !== undefined) return this.#ended
    if (!insideMessage && this.#shutdown?.aborted === true) return 'shutdown'
    if (this.#output.writableLength > outputHighWaterBytes) {
      const drained = await this.#drain(timeoutMs)
      if (drained !== undefined) return drained
    }
    return new Promise((resolve) => {
      this.#waiting = resolve
      this.#watch.watch(this, timeoutMs)
      if (!insideMessage) this.#shutdown?.addEventListener('abort', this.#onAbort)
      this.#input.resume()
    })
  }

  expire(): void {
    this.#wake('timeout')
  }

  /** Sends what is left and closes; waits until it is sent, for a while. */
  async end(): Promise<void> {
    this.flush()
    const output = this.#output
    if (output.destroyed || output === process.stdout) return this.destroy()
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 5000)
      output.once('error', () => resolve())
      output.end(() => {
        clearTimeout(timer)
        resolve()
      })
    })
    this.destroy()
  }

  destroy(): void {
    this.#finish('closed')
    this.#detach()
    this.#input.on('error', () => {})
    this.#input.destroy()
    if (this.#output !== process.stdout) this.#output.destroy()
  }

  /** Puts a new stream (TLS) in the place of the plain one. What arrived in the clear is forgotten. */
  replace(input: Readable, output: Writable): void {
    this.#detach()
    this.reader.discard()
    this.#arrived = undefined
    this.#input = input
    this.#output = output
    this.#attach()
  }

  /** Gives the streams away, with what has arrived of them and was not read. */
  release(): void {
    this.flush()
    this.#detach()
    this.#input.pause()
  }

  #attach(): void {
    this.#input.on('data', this.#onData)
    this.#input.on('end', this.#onEnd)
    this.#input.on('close', this.#onEnd)
    this.#input.on('error', this.#onError)
    this.#output.on('error', this.#onError)
  }

  #detach(): void {
    this.#input.off('data', this.#onData)
    this.#input.off('end', this.#onEnd)
    this.#input.off('close', this.#onEnd)
    this.#input.off('error', this.#onError)
    this.#output.off('error', this.#onError)
  }

  #data(piece: Buffer): void {
    if (this.#waiting !== undefined) return this.#wake(piece)
    this.#arrived = this.#arrived === undefined ? piece : Buffer.concat([this.#arrived, piece])
    if (this.#arrived.length > inputHighWaterBytes) this.#input.pause()
  }

  #finish(why: InputEnd): void {
    this.#ended ??= why
    this.#wake(this.#ended)
  }

  #wake(piece: Buffer | InputEnd): void {
    const waiting = this.#waiting
    if (waiting === undefined) return
    this.#waiting = undefined
    this.#watch.release(this)
    this.#shutdown?.removeEventListener('abort', this.#onAbort)
    waiting(piece)
  }

  /** Waits until a slow client has taken what was sent. */
  #drain(timeoutMs: number): Promise<InputEnd | undefined> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#waiting = undefined
        this.#watch.release(this)
        resolve(undefined)
      }
      this.#output.once('drain', done)
      this.#waiting = (piece) => {
        this.#output.off('drain', done)
        if (typeof piece === 'string') return resolve(piece)
        // Input while we wait: kept, and reading stops until the output is taken.
        this.#arrived = this.#arrived === undefined ? piece : Buffer.concat([this.#arrived, piece])
        this.#input.pause()
        resolve(this.#output.destroyed ? 'closed' : undefined)
      }
      this.#watch.watch(this, timeoutMs)
    })
  }
}
