/** Reads the records of messages again, in the order of their ids, which is nearly that in which they stand in the segments. */
import { closeFile, openFile, readAt } from './disk.ts'
import type { Location, Segment } from './journal.ts'
import { jsonOf } from './record.ts'

const blockBytes = 1 << 20
/** A record that begins in a block and is no longer than this is read with it. */
const overhangBytes = 128 << 10
/** Messages that came at the same time stand near each other, or in the segments of as many processes. */
const mostBlocks = 24

interface Block {
  readonly segment: string
  readonly base: number
  readonly bytes: Buffer
}

export class RecordReader {
  readonly #paths: ReadonlyMap<string, string>
  /** The one that was used last comes first. */
  readonly #blocks: Block[] = []

  constructor(segments: readonly Segment[]) {
    this.#paths = new Map(segments.map(({ name, path }) => [name, path]))
  }

  /** The JSON of a record that was read before and was good: found again without its CRC. */
  json(place: Location): Buffer | Promise<Buffer> {
    const { segment, offset, length } = place
    if (length > overhangBytes) return this.#readOne(place)
    const base = offset - (offset % blockBytes)
    const at = this.#blocks.findIndex((block) => block.base === base && block.segment === segment)
    const block = this.#blocks[at]
    if (block === undefined) return this.#readBlock(place, base)
    if (at > 0) {
      this.#blocks.splice(at, 1)
      this.#blocks.unshift(block)
    }
    return within(block, place)
  }

  async #readBlock(place: Location, base: number): Promise<Buffer> {
    const { segment } = place
    const block = { segment, base, bytes: await this.#read(segment, base, blockBytes + overhangBytes) }
    this.#blocks.unshift(block)
    if (this.#blocks.length > mostBlocks) this.#blocks.pop()
    return within(block, place)
  }

  async #readOne(place: Location): Promise<Buffer> {
    const { segment, offset, length } = place
    return within({ segment, base: offset, bytes: await this.#read(segment, offset, length) }, place)
  }

  async #read(segment: string, offset: number, length: number): Promise<Buffer> {
    const fd = await openFile(this.#paths.get(segment) ?? '')
    try {
      return await readAt(fd, offset, length)
    } finally {
      await closeFile(fd)
    }
  }
}

function within({ segment, base, bytes }: Block, { offset, length }: Location): Buffer {
  if (offset + length > base + bytes.length) throw new Error(`segment ${segment} has become shorter`)
  return jsonOf(bytes, offset - base)
}
