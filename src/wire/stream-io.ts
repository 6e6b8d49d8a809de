/**
 * A dialogue over Node streams: a socket, or standard input and output. Replies are gathered and sent together
 * when the session waits for input, so pipelined commands are answered in one packet.
 * Source: RFC 2920 section 3.2.
 */
import { Duplex, type Readable, type Writable } from 'node:stream'
import { type ByteString, toBytes } from '../base/text.ts'
import type { IdleWatch, Waiter } from './idle-watch.ts'
import { markPackets } from './traffic-class.ts'
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

/**
 * The stream knows its dialogue, and all streams share their listeners: an idle connection owns no closures.
 */
const owner = Symbol('dialogue')
type Owned = { [owner]?: StreamIo }

function onData(this: Owned, piece: Buffer): void {
  this[owner]?.came(piece)
}
function onEnd(this: Owned): void {
  this[owner]?.over('closed')
}
function onError(this: Owned): void {
  this[owner]?.over('reset')
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
  /** A message is being read: it may be finished when the server stops. */
  #insideMessage = false

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

  // No async function: thousands wait here, and each frame would cost them.
  pull(timeoutMs: number, insideMessage: boolean = false): Promise<Buffer | InputEnd> {
    this.flush()
    this.#insideMessage = insideMessage
    const there = this.take() ?? this.#ended ?? (this.#stops() ? 'shutdown' : undefined)
    if (there !== undefined) return Promise.resolve(there)
    if (this.#output.writableLength > outputHighWaterBytes) return this.#pullSlowly(timeoutMs, insideMessage)
    return new Promise((resolve) => {
      this.#waiting = resolve
      this.#watch.watch(this, timeoutMs, this.#shutdown)
      this.#input.resume()
    })
  }

  async #pullSlowly(timeoutMs: number, insideMessage: boolean): Promise<Buffer | InputEnd> {
    return (await this.#drain(timeoutMs)) ?? this.pull(timeoutMs, insideMessage)
  }

  #stops(): boolean {
    return !this.#insideMessage && this.#shutdown?.aborted === true
  }

  expire(why: 'timeout' | 'shutdown'): void {
    // Another session's server may stop, or this one is in the middle of a message.
    if (why === 'timeout') this.#wake('timeout')
    else if (this.#stops()) {
      this.#watch.release(this)
      this.#wake('shutdown')
    }
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

  markPackets(octet: number): string | undefined {
    return markPackets(this.#output, octet)
  }

  /** Gives the streams away, with what has arrived of them and was not read. */
  release(): void {
    this.flush()
    this.#detach()
    this.#input.pause()
  }

  /** What it runs over, when that is one stream for both directions. */
  get duplex(): Duplex | undefined {
    return this.#output instanceof Duplex && Object.is(this.#input, this.#output) ? this.#output : undefined
  }

  #attach(): void {
    const input: Readable & Owned = this.#input
    const output: Writable & Owned = this.#output
    input[owner] = this
    output[owner] = this
    this.#input.on('data', onData)
    this.#input.on('end', onEnd)
    this.#input.on('close', onEnd)
    this.#input.on('error', onError)
    if (!Object.is(input, output)) this.#output.on('error', onError)
  }

  #detach(): void {
    this.#input.off('data', onData)
    this.#input.off('end', onEnd)
    this.#input.off('close', onEnd)
    this.#input.off('error', onError)
    this.#output.off('error', onError)
  }

  /** The stream brought a piece. */
  came(piece: Buffer): void {
    this.#data(piece)
  }

  /** The stream brings nothing more. */
  over(why: InputEnd): void {
    this.#finish(why)
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
