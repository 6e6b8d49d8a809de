/**
 * Finds a key in a Berkeley DB file, by reading its pages: hash tables and B-trees as versions 3.1 to 18.1 write them, in either
 * order of bytes. Nothing in the file is trusted, no lock is taken, and nothing is written.
 *
 * Page 0 tells what the file is. Of a hash table each bucket is a chain of pages, which hold keys and values in turns. Of a B-tree
 * branches lead to leaves by the first key of each. Keys and values that are large have a chain of pages of their own, and so have
 * several values of one key: a tree.
 */
import { Damaged, largestValue, Unusable, type PageFound, type ReadAt } from './page-file.ts'

export const hashMagic = 0x061561
const treeMagic = 0x053162
export const pageSorts = {
  treeBranch: 3,
  numbersBranch: 4,
  treeLeaf: 5,
  numbersLeaf: 6,
  overflow: 7,
  hashMeta: 8,
  sortedLeaf: 12,
  bucket: 13,
} as const
/** The pages of a bucket: before version 9, and of what was never written to. */
const bucketSorts: ReadonlySet<number> = new Set([pageSorts.bucket, 2, 0])
/** Several values of one key: in their order, or sorted. */
const duplicateLeaves = [pageSorts.numbersLeaf, pageSorts.sortedLeaf]
/** Sorts of items on a page of a hash table: the first byte. */
export const hashItem = { plain: 1, duplicates: 2, large: 3, tree: 4 } as const
/** Sorts of items on a page of a B-tree: the third byte, with a mark of what is deleted. */
const treeItem = { plain: 1, tree: 2, large: 3 } as const
const deleted = 0x80
/** Marks in page 0: pages have a checksum; records by number; values are compressed. */
const hasChecksums = 0x01
const byNumber = 0x02
const compressed = 0x80

export const pageHead = 26
const checksumBytes = 6
const metaBytes = 512
/** What the hash function makes of these words stands in page 0. */
export const hashedWords = Buffer.from('%$sniglet^&\0')
const deepest = 32

interface Meta {
  readonly pageBytes: number
  /** Where the content of a page begins. */
  readonly head: number
  readonly lastPage: number
  readonly bytes: Numbers
}

/** Numbers of a page in the order of bytes that its file has. */
class Numbers {
  readonly bytes: Buffer
  readonly #big: boolean

  constructor(bytes: Buffer, big: boolean) {
    this.bytes = bytes
    this.#big = big
  }

  short(at: number): number {
    if (at + 2 > this.bytes.length) throw new Damaged('a number lies beyond its page')
    return this.#big ? this.bytes.readUInt16BE(at) : this.bytes.readUInt16LE(at)
  }

  long(at: number): number {
    if (at + 4 > this.bytes.length) throw new Damaged('a number lies beyond its page')
    return this.#big ? this.bytes.readUInt32BE(at) : this.bytes.readUInt32LE(at)
  }

  piece(start: number, end: number): Buffer {
    if (end < start || end > this.bytes.length) throw new Damaged('an item lies beyond its page')
    return this.bytes.subarray(start, end)
  }

  /** Another page of the same file. */
  like(bytes: Buffer): Numbers {
    return new Numbers(bytes, this.#big)
  }
}

export async function findInBerkeley(readAt: ReadAt, key: Buffer): Promise<PageFound> {
  try {
    const bytes = await readAt(0, metaBytes)
    const magics = [hashMagic, treeMagic]
    if (bytes.length < metaBytes) throw new Unusable('not a Berkeley DB file')
    const big = magics.includes(bytes.readUInt32BE(12))
    if (!big && !magics.includes(bytes.readUInt32LE(12))) throw new Unusable('not a Berkeley DB file')
    const file = new File(readAt, metaOf(new Numbers(bytes, big)))
    const isHash = file.meta.bytes.long(12) === hashMagic
    const data = await (isHash ? findInHash(file, key) : findInTree(file, key))
    return data === undefined ? { is: 'none' } : { is: 'found', data }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return { is: 'error', message, unusable: error instanceof Unusable }
  }
}

function metaOf(bytes: Numbers): Meta {
  const version = bytes.long(16)
  if (version < (bytes.long(12) === hashMagic ? 7 : 8) || version > 10)
    throw new Unusable(`version ${version} of its form is not known`)
  if (bytes.bytes[24] !== 0) throw new Unusable('it is encrypted')
  const pageBytes = bytes.long(20)
  if (pageBytes < 512 || pageBytes > 65_536 || (pageBytes & (pageBytes - 1)) !== 0)
    throw new Unusable(`pages of ${pageBytes} bytes`)
  const checked = ((bytes.bytes[26] ?? 0) & hasChecksums) !== 0
  return { pageBytes, head: pageHead + (checked ? checksumBytes : 0), lastPage: bytes.long(32), bytes }
}

class File {
  readonly #readAt: ReadAt
  readonly meta: Meta

  constructor(readAt: ReadAt, meta: Meta) {
    this.#readAt = readAt
    this.meta = meta
  }

  async page(number: number): Promise<Page> {
    const { pageBytes, lastPage, bytes: first, head } = this.meta
    if (number === 0 || number > lastPage) throw new Damaged(`there is no page ${number}`)
    const bytes = await this.#readAt(number * pageBytes, pageBytes)
    if (bytes.length < pageBytes) throw new Damaged(`page ${number} is cut off`)
    return new Page(first.like(bytes), head)
  }

  /** A key or value that has pages of its own. */
  async large(number: number, length: number): Promise<Buffer> {
    if (length > largestValue) throw new Error(`a value of ${length} bytes is too large`)
    const pieces: Buffer[] = []
    let got = 0
    for (let next = number; got < length; ) {
      const page = await this.page(next)
      const { used } = page
      if (page.sort !== pageSorts.overflow || used === 0)
        throw new Damaged('a large value has no page of its own')
      pieces.push(page.numbers.piece(this.meta.head, this.meta.head + used))
      got += used
      next = page.next
    }
    return Buffer.concat(pieces).subarray(0, length)
  }
}

class Page {
  readonly numbers: Numbers
  readonly #head: number

  constructor(numbers: Numbers, head: number) {
    this.numbers = numbers
    this.#head = head
  }

  get sort(): number {
    return this.numbers.bytes[25] ?? 0
  }
  get next(): number {
    return this.numbers.long(16)
  }
  get items(): number {
    return this.numbers.short(20)
  }
  /** Of a page of a large value: bytes on it. */
  get used(): number {
    return this.numbers.short(22)
  }

  place(index: number): number {
    return this.numbers.short(this.#head + 2 * index)
  }

  /** Of a B-tree. */
  itemSort(index: number): number {
    return this.numbers.bytes[this.place(index) + 2] ?? 0
  }

  /** Of a hash table: items stand one before the other, from the end of the page on. */
  hashItem(index: number): Buffer {
    const end = index === 0 ? this.numbers.bytes.length : this.place(index - 1)
    return this.numbers.piece(this.place(index), end)
  }
}

/** FNV, as Berkeley DB has it. */
export function berkeleyHash(key: Buffer): number {
  let value = 0
  for (const byte of key) value = Math.imul(value, 16_777_619) ^ byte
  return value >>> 0
}

async function findInHash(file: File, key: Buffer): Promise<Buffer | undefined> {
  const { bytes, lastPage } = file.meta
  if (bytes.long(92) !== berkeleyHash(hashedWords))
    throw new Unusable('it was made with another hash function')
  const hash = berkeleyHash(key)
  const within = (hash & bytes.long(76)) >>> 0
  const bucket = within > bytes.long(72) ? (hash & bytes.long(80)) >>> 0 : within
  let number = bucket + bytes.long(96 + 4 * Math.min(31, Math.ceil(Math.log2(bucket + 1))))
  for (let pages = 0; number !== 0; pages++) {
    const page = await file.page(number)
    if (!bucketSorts.has(page.sort)) throw new Damaged('a page of a bucket is none')
    if (pages > lastPage) throw new Damaged('a bucket has no end')
    for (let i = 0; i + 1 < page.items; i += 2)
      if (await isKey(file, page, page.hashItem(i), key)) return hashValue(file, page, i + 1)
    number = page.next
  }
  return undefined
}

async function isKey(file: File, { numbers }: Page, item: Buffer, key: Buffer): Promise<boolean> {
  if (item[0] === hashItem.plain) return item.length === key.length + 1 && item.subarray(1).equals(key)
  if (item[0] !== hashItem.large) throw new Damaged('an item is of no known sort')
  const large = numbers.like(item)
  return large.long(8) === key.length && key.equals(await file.large(large.long(4), key.length))
}

/** Of several values of one key the first. */
async function hashValue(file: File, page: Page, index: number): Promise<Buffer | undefined> {
  const item = page.numbers.like(page.hashItem(index))
  switch (item.bytes[0]) {
    case hashItem.plain:
      return item.bytes.subarray(1)
    case hashItem.duplicates:
      return item.piece(3, 3 + item.short(1))
    case hashItem.large:
      return file.large(item.long(4), item.long(8))
    case hashItem.tree:
      return firstDuplicate(file, item.long(4))
    default:
      throw new Damaged('an item is of no known sort')
  }
}

async function findInTree(file: File, key: Buffer): Promise<Buffer | undefined> {
  const { bytes } = file.meta
  if ((bytes.long(48) & (byNumber | compressed)) !== 0)
    throw new Unusable('its records have numbers for keys, or are compressed')
  const leaf = await descend(file, bytes.long(88), [pageSorts.treeLeaf], (page) => branchFor(file, page, key))
  // The first of those that have the key: keys and values stand in turns.
  let low = 0
  let high = leaf.items >> 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (Buffer.compare(await leafItem(file, leaf, middle * 2), key) < 0) low = middle + 1
    else high = middle
  }
  for (let i = low * 2; i + 1 < leaf.items; i += 2) {
    if (!key.equals(await leafItem(file, leaf, i))) return undefined
    if ((leaf.itemSort(i + 1) & deleted) === 0) return leafItem(file, leaf, i + 1)
  }
  return undefined
}

/** From a root to a leaf. */
async function descend(
  file: File,
  root: number,
  leaves: readonly number[],
  choose: (branch: Page) => Promise<number>,
): Promise<Page> {
  let page = await file.page(root)
  for (let depth = 0; !leaves.includes(page.sort); depth++) {
    const isBranch = page.sort === pageSorts.treeBranch || page.sort === pageSorts.numbersBranch
    if (!isBranch || page.items === 0 || depth > deepest)
      throw new Damaged('a page is neither a branch nor a leaf')
    const at = page.place(await choose(page))
    page = await file.page(page.numbers.long(page.sort === pageSorts.treeBranch ? at + 4 : at))
  }
  return page
}

/** The last child whose first key is not behind the one that is sought. That of the first child says nothing. */
async function branchFor(file: File, page: Page, key: Buffer): Promise<number> {
  let low = 1
  let high = page.items - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const { numbers } = page
    const at = page.place(middle)
    const first =
      (page.itemSort(middle) & ~deleted) === treeItem.large
        ? await file.large(numbers.long(at + 16), numbers.long(at + 20))
        : numbers.piece(at + 12, at + 12 + numbers.short(at))
    if (Buffer.compare(first, key) <= 0) low = middle + 1
    else high = middle - 1
  }
  return high
}

/** A key or a value on a leaf; of several values of one key the first. */
async function leafItem(file: File, page: Page, index: number): Promise<Buffer> {
  const { numbers } = page
  const at = page.place(index)
  switch (page.itemSort(index) & ~deleted) {
    case treeItem.plain:
      return numbers.piece(at + 3, at + 3 + numbers.short(at))
    case treeItem.large:
      return file.large(numbers.long(at + 4), numbers.long(at + 8))
    case treeItem.tree:
      return firstDuplicate(file, numbers.long(at + 4))
    default:
      throw new Damaged('an item is of no known sort')
  }
}

async function firstDuplicate(file: File, root: number): Promise<Buffer> {
  const leaf = await descend(file, root, duplicateLeaves, () => Promise.resolve(0))
  for (let i = 0; i < leaf.items; i++) if ((leaf.itemSort(i) & deleted) === 0) return leafItem(file, leaf, i)
  throw new Damaged('a key has no value')
}
