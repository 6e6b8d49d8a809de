/** A message on its way into the spool: small ones gather in memory, large ones stream to a file of their own. */
import type { Envelope } from '../../mail/envelope.ts'
import { type IncomingMessage, SpoolError, type SpooledMessage } from './api.ts'
import { closeFile, createFile, type FileOwner, removeLater, spoolError, syncData, writeAt } from './disk.ts'
import { type BodyPlace, readBody, readPart, recordBodyLimit } from './stored-message.ts'

/** What an incoming message needs of the spool. */
export interface IncomingHost {
  /** Folder of the body files. */
  readonly bodies: string
  /** Ends the name of each body file: tells whose it is while no record speaks of it. */
  readonly key: string
  readonly owner: FileOwner | undefined
  crashPoint(name: string): void
  syncBodies(): Promise<void>
  commit(incoming: CommittedBody, envelope: Envelope): Promise<SpooledMessage>
}

export interface CommittedBody {
  readonly id: string
  readonly place: BodyPlace
  /** Name of the body's file; empty when the body travels in the record. */
  readonly bodyFile: string
}

const firstBytes = 4096

export class Incoming implements IncomingMessage {
  readonly id: string
  readonly #host: IncomingHost
  #buffer: Buffer
  /** Bytes in the buffer; the file, when there is one, holds those before. */
  #buffered = 0
  #file: { readonly fd: number; readonly path: string; readonly name: string } | undefined
  #written = 0
  #writing: Promise<void> | undefined
  #state: 'open' | 'ended' = 'open'

  constructor(id: string, host: IncomingHost, sizeHint: number | undefined) {
    this.id = id
    this.#host = host
    this.#buffer = Buffer.allocUnsafeSlow(Math.min(Math.max(sizeHint ?? firstBytes, 512), recordBodyLimit))
  }

  get size(): number {
    return this.#written + this.#buffered
  }

  write(piece: Uint8Array): void | Promise<void> {
    if (this.#state === 'ended') throw new SpoolError('closed', `message ${this.id} takes no more bytes`)
    if (this.#writing !== undefined) return this.#writing.then(() => this.write(piece))
    const room = recordBodyLimit - this.#buffered
    if (piece.length <= room) {
      this.#keep(piece)
      return
    }
    this.#keep(piece.subarray(0, room))
    return this.#spill().then(() => this.write(piece.subarray(room)))
  }

  async peek(limit: number): Promise<Uint8Array> {
    await this.#writing
    const place = this.#place()
    if (place.is === 'memory') return place.bytes.subarray(0, limit)
    const start = await readPart(place, 0, Math.min(limit, this.#written))
    const rest = this.#buffer.subarray(0, Math.max(0, Math.min(this.#buffered, limit - start.length)))
    return rest.length === 0 ? start : Buffer.concat([start, rest])
  }

  async peekEnd(limit: number): Promise<Uint8Array> {
    await this.#writing
    const end = this.#buffer.subarray(Math.max(0, this.#buffered - limit), this.#buffered)
    const place = this.#place()
    const missing = Math.min(limit - end.length, this.#written)
    if (place.is === 'memory' || missing <= 0) return end
    return Buffer.concat([await readPart(place, this.#written - missing, missing), end])
  }

  async *read(): AsyncGenerator<Uint8Array> {
    await this.#writing
    const place = this.#place()
    yield* readBody(place, 0)
    if (place.is === 'file' && this.#buffered > 0) yield this.#buffer.subarray(0, this.#buffered)
  }

  async commit(envelope: Envelope): Promise<SpooledMessage> {
    await this.#writing
    if (this.#state === 'ended') throw new SpoolError('closed', `message ${this.id} has ended`)
    this.#state = 'ended'
    const file = this.#file
    if (file === undefined)
      return this.#host.commit({ id: this.id, place: this.#place(), bodyFile: '' }, envelope)
    try {
      await this.#complete(file.fd)
      await this.#host.syncBodies()
      this.#host.crashPoint('body-synced')
      return await this.#host.commit({ id: this.id, place: this.#place(), bodyFile: file.name }, envelope)
    } catch (error) {
      removeLater(file.path)
      throw spoolError(error, 'writing a body')
    }
  }

  /** The file is closed however it ends: one that is removed gives its room back only then. */
  async #complete(fd: number): Promise<void> {
    try {
      await this.#flush(fd)
      this.#host.crashPoint('body-written')
      await syncData(fd).catch((error: unknown) => {
        throw new SpoolError('sync-failed', `syncing a body: ${String(error)}`)
      })
    } finally {
      await closeFile(fd)
    }
  }

  async abort(): Promise<void> {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    await this.#writing?.catch(() => {})
    const file = this.#file
    if (file === undefined) return
    removeLater(file.path)
    await closeFile(file.fd).catch(() => {})
  }

  #place(): BodyPlace {
    const file = this.#file
    return file === undefined
      ? { is: 'memory', bytes: this.#buffer.subarray(0, this.#buffered) }
      : { is: 'file', path: file.path, size: this.#written }
  }

  /** Copies: the caller may use the piece's memory again. */
  #keep(piece: Uint8Array): void {
    const needed = this.#buffered + piece.length
    if (needed > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(
        Math.min(recordBodyLimit, Math.max(needed, this.#buffer.length * 4)),
      )
      this.#buffer.copy(larger, 0, 0, this.#buffered)
      this.#buffer = larger
    }
    this.#buffer.set(piece, this.#buffered)
    this.#buffered = needed
  }

  #spill(): Promise<void> {
    this.#writing = (async () => {
      try {
        if (this.#file === undefined) {
          const name = `${this.id}.${this.#host.key}`
          const path = `${this.#host.bodies}/${name}`
          this.#file = { fd: await createFile(path, this.#host.owner), path, name }
        }
        await this.#flush(this.#file.fd)
      } catch (error) {
        throw spoolError(error, 'writing a body')
      }
    })()
    return this.#writing.then(() => {
      this.#writing = undefined
    })
  }

  async #flush(fd: number): Promise<void> {
    await writeAt(fd, this.#buffer.subarray(0, this.#buffered), this.#written)
    this.#written += this.#buffered
    this.#buffered = 0
  }
}
