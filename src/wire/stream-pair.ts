/** Two streams as one: what the other end says until it goes is read, whether or not it still listens. */
import { Duplex, type Readable, type Writable } from 'node:stream'

export class StreamPair extends Duplex {
  readonly #says: Readable
  readonly #hears: Writable

  constructor(says: Readable, hears: Writable) {
    super()
    this.#says = says
    this.#hears = hears
    says.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) says.pause()
    })
    says.on('end', () => this.push(null))
    says.on('error', (error) => this.destroy(error))
    // That it does not listen any more is told by the end of what it says, which may hold the reason.
    hears.on('error', () => undefined)
  }

  override _read(): void {
    this.#says.resume()
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    // Of trouble the reading side tells.
    if (this.#hears.writable) this.#hears.write(chunk, () => done())
    else done()
  }

  override _final(done: () => void): void {
    if (this.#hears.writable) this.#hears.end(() => done())
    else done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#says.destroy()
    this.#hears.destroy()
    done(error)
  }
}
