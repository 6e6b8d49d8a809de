/** What cannot be read: its bytes go to `damaged/`, its name to the log, and all others go on. */
import { errorCode, type FileOwner, renameFile, writeSmallFile } from './disk.ts'
import type { IndexEntry } from './queue-index.ts'
import type { Damage } from './record.ts'
import type { SegmentReader } from './segment-reader.ts'

export class SetAside {
  /** All of this process, for whoever asks. */
  readonly list: { readonly what: string; readonly why: string }[] = []
  readonly #directory: string
  readonly #owner: FileOwner | undefined
  readonly #reader: SegmentReader
  readonly #log: (line: string) => void

  constructor(
    directory: string,
    owner: FileOwner | undefined,
    reader: SegmentReader,
    log: (line: string) => void,
  ) {
    this.#directory = directory
    this.#owner = owner
    this.#reader = reader
    this.#log = log
  }

  /** A stretch of a segment that should be a record. */
  bytes(segment: string, damage: Damage, bytes: Uint8Array): void {
    if (damage.unfinished) {
      this.#log(`spool: a record at the end of segment ${segment} was never finished and is dropped`)
      return
    }
    const what = damage.id === undefined ? 'a record' : `a record of message ${damage.id}`
    const name = `${segment}-${damage.offset}`
    this.#keep(name, bytes)
    const where = `${damage.length} bytes at ${damage.offset} of segment ${segment} are damaged`
    this.#tell(what, `${where}; kept as damaged/${name}`)
  }

  /** A message whose records are good and which cannot be delivered all the same. */
  async message(id: string, entry: IndexEntry, why: string): Promise<void> {
    for (const [number, part] of entry.parts.entries()) {
      const bytes = await this.#reader.readBytes(part)
      if (bytes !== undefined) this.#keep(`${id}-${number}`, bytes)
    }
    if (entry.bodyFile !== '') this.#move(`${this.#directory}/bodies/${entry.bodyFile}`, entry.bodyFile)
    this.#tell(`message ${id}`, why)
  }

  /** A file that no process of this program leaves where it is. */
  strange(path: string, name: string): void {
    const kept = `strange-${name}`
    if (this.#move(path, kept)) this.#log(`spool: ${path} is no file of the spool; kept as damaged/${kept}`)
  }

  /** A body that no readable record speaks of, while records could not be read. */
  body(name: string): void {
    if (!this.#move(`${this.#directory}/bodies/${name}`, name)) return
    this.#log(`spool: body ${name} belongs to no message that can be read; kept as damaged/${name}`)
  }

  #move(path: string, name: string): boolean {
    try {
      renameFile(path, `${this.#directory}/damaged/${name}`)
      return true
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') this.#log(`spool: ${path} cannot be set aside: ${String(error)}`)
      return false
    }
  }

  #keep(name: string, bytes: Uint8Array): void {
    writeSmallFile(`${this.#directory}/damaged`, name, bytes, this.#owner, true)
  }

  #tell(what: string, why: string): void {
    this.list.push({ what, why })
    this.#log(`spool: ${what} is damaged and set aside: ${why}`)
  }
}
