/** Reads records from segments of any process, wherever the file stands by now. */
import { closeFile, errorCode, fileExists, listFolder, openFile, readAt } from './disk.ts'
import type { Location } from './journal.ts'
import { readRecord, type RecordView } from './record.ts'

const knownPaths = 4096

export class SegmentReader {
  readonly #root: string
  readonly #paths = new Map<string, string>()

  constructor(root: string) {
    this.#root = root
  }

  /** The record at a place; a word when there is none (any more) or it is damaged. */
  async read(location: Location): Promise<RecordView | 'gone' | 'damaged'> {
    const bytes = await this.readBytes(location)
    if (bytes === undefined) return 'gone'
    const record = readRecord(bytes, 0, Buffer.from(location.segment, 'hex'), location.offset)
    return typeof record === 'object' ? record : 'damaged'
  }

  /** The bytes at a place, undefined when the segment is gone. */
  async readBytes(location: Location): Promise<Buffer | undefined> {
    const fd = await this.#open(location.segment)
    if (fd === undefined) return undefined
    try {
      return await readAt(fd, location.offset, location.length)
    } finally {
      await closeFile(fd)
    }
  }

  async #open(segment: string): Promise<number | undefined> {
    // The second look is for a segment that was handed to another process since it was found.
    for (let look = 0; look < 2; look++) {
      const path = this.#paths.get(segment) ?? findSegment(this.#root, segment)
      if (path === undefined) return undefined
      if (this.#paths.size >= knownPaths) this.#paths.clear()
      this.#paths.set(segment, path)
      try {
        return await openFile(path)
      } catch (error) {
        this.#paths.delete(segment)
        if (errorCode(error) !== 'ENOENT') throw error
      }
    }
    return undefined
  }
}

/** The path of a segment, in the folder of whichever process has it now. */
export function findSegment(root: string, segment: string): string | undefined {
  for (const folder of listFolder(root)) {
    const path = `${root}/${folder}/${segment}`
    if (fileExists(path)) return path
  }
  return undefined
}
