/** Writes Berkeley DB files: hash tables of version 9, as Berkeley DB 4.6 to 18.1 read and write them. */
import { randomBytes } from 'node:crypto'
import { type ByteString, toBytes } from '../../base/text.ts'
import { berkeleyHash, hashedWords, hashItem, hashMagic, pageHead, pageSorts } from './berkeley-pages.ts'

const pageBytes = 4096
/** A longer value has pages of its own. Where Berkeley DB looks for a key of that length depends on when others were added. */
const longestItem = pageBytes / 4
/** How much of its page a bucket takes, on average. */
const fill = 0.6
/** As much as one `Buffer` holds everywhere. */
const mostPages = 2 ** 31 / pageBytes

interface Pair {
  readonly key: Buffer
  readonly data: Buffer
}

/** The longest key that exim_dbmbuild takes. */
export const longestKey = 255

/** The bytes of the file; undefined: the entries do not fit. Each key is there once, and none is longer than `longestKey`. */
export function buildBerkeley(
  entries: Iterable<{ readonly key: ByteString; readonly data: ByteString }>,
): Buffer | undefined {
  const pairs = [...entries].map(({ key, data }): Pair => ({ key: toBuffer(key), data: toBuffer(data) }))
  const room = pairs.reduce((sum, { key, data }) => sum + roomOf(key) + roomOf(data), 0)
  let buckets = 2
  while (buckets * pageBytes * fill < room) buckets *= 2
  if (buckets > mostPages) return undefined
  const contents: Pair[][] = Array.from({ length: buckets }, () => [])
  for (const pair of pairs) contents[berkeleyHash(pair.key) & (buckets - 1)]?.push(pair)
  const file = new Pages(buckets)
  for (const [bucket, own] of contents.entries()) {
    file.fillBucket(bucket + 1, own.sort(inOrder))
    if (file.count > mostPages) return undefined
  }
  return file.finish(buckets, pairs.length)
}

/** The keys of a page are sorted; of two that begin alike the longer one stands first. */
function inOrder({ key: a }: Pair, { key: b }: Pair): number {
  const common = Math.min(a.length, b.length)
  return a.compare(b, 0, common, 0, common) || b.length - a.length
}

const toBuffer = (text: ByteString): Buffer => Buffer.from(toBytes(text))
const roomOf = (item: Buffer): number => 3 + Math.min(item.length, longestItem)

/** Page 0 tells what the file is, then come the first pages of all buckets, then whatever else there is. */
class Pages {
  readonly #pages: Buffer[] = []

  constructor(buckets: number) {
    this.#add(pageSorts.hashMeta)
    for (let i = 0; i < buckets; i++) this.#add(pageSorts.bucket)
  }

  get count(): number {
    return this.#pages.length
  }

  fillBucket(first: number, pairs: readonly Pair[]): void {
    let number = first
    let page = this.#at(number)
    let items = 0
    let end = pageBytes
    for (const { key, data } of pairs) {
      const both = [this.#item(key), this.#item(data)]
      const wanted = both.reduce((sum, { length }) => sum + length + 2, 0)
      if (end - wanted < pageHead + 2 * items) {
        page.writeUInt32LE(this.count, 16)
        const next = this.#add(pageSorts.bucket)
        next.writeUInt32LE(number, 12)
        number = this.count - 1
        page = next
        items = 0
        end = pageBytes
      }
      for (const item of both) {
        end -= item.length
        item.copy(page, end)
        page.writeUInt16LE(end, pageHead + 2 * items++)
      }
      page.writeUInt16LE(items, 20)
      page.writeUInt16LE(end, 22)
    }
  }

  finish(buckets: number, pairs: number): Buffer {
    const meta = this.#at(0)
    meta.writeUInt32LE(hashMagic, 12)
    meta.writeUInt32LE(9, 16)
    meta.writeUInt32LE(pageBytes, 20)
    meta.writeUInt32LE(this.count - 1, 32)
    meta.writeUInt32LE(pairs, 40)
    meta.writeUInt32LE(pairs, 44)
    randomBytes(20).copy(meta, 52)
    meta.writeUInt32LE(buckets - 1, 72)
    meta.writeUInt32LE(buckets - 1, 76)
    meta.writeUInt32LE(buckets / 2 - 1, 80)
    meta.writeUInt32LE(pairs, 88)
    meta.writeUInt32LE(berkeleyHash(hashedWords), 92)
    // Bucket b is on page b + 1, whatever power of two it is below.
    for (let i = 0; 2 ** i <= buckets; i++) meta.writeUInt32LE(1, 96 + 4 * i)
    return Buffer.concat(this.#pages)
  }

  #at(number: number): Buffer {
    return this.#pages[number] ?? Buffer.alloc(0)
  }

  #add(sort: number): Buffer {
    const page = Buffer.alloc(pageBytes)
    // A log sequence number that says: not logged.
    page.writeUInt32LE(1, 4)
    page.writeUInt32LE(this.count, 8)
    if (sort !== pageSorts.hashMeta) page.writeUInt16LE(pageBytes, 22)
    page[25] = sort
    this.#pages.push(page)
    return page
  }

  /** As it stands on the page of its bucket. */
  #item(content: Buffer): Buffer {
    if (content.length <= longestItem) return Buffer.concat([Buffer.from([hashItem.plain]), content])
    const item = Buffer.alloc(12)
    item[0] = hashItem.large
    item.writeUInt32LE(this.count, 4)
    item.writeUInt32LE(content.length, 8)
    const most = pageBytes - pageHead
    for (let at = 0; at < content.length; at += most) {
      const page = this.#add(pageSorts.overflow)
      const piece = content.subarray(at, at + most)
      if (at > 0) page.writeUInt32LE(this.count - 2, 12)
      if (at + most < content.length) page.writeUInt32LE(this.count, 16)
      // Used once.
      page.writeUInt16LE(1, 20)
      page.writeUInt16LE(piece.length, 22)
      piece.copy(page, pageHead)
    }
    return item
  }
}
