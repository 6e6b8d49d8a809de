/**
 * Finds a key in an LMDB file, by reading its pages: those of LMDB 0.9 (data version 1, what `mdb_load` makes) and of its
 * successor (2). Nothing in the file is trusted, no lock is taken, and nothing is written.
 *
 * A tree of pages: branches lead to leaves by the first key of each, leaves hold keys and values, a large value has pages of its
 * own. A transaction writes its pages beside those of the one before, then one of two heads. Its pages are written over by
 * the second transaction after it at the earliest: when the heads tell of that one, it is read again.
 */

import { Damaged, largestValue, type PageFound, type ReadAt } from './page-file.ts'

interface Head {
  readonly pageBytes: number
  /** Bytes before the content of a page. */
  readonly pageHead: number
  /** From where places within a page are counted. */
  readonly base: number
  readonly flags: number
  readonly root: number
  readonly lastPage: number
  readonly transaction: number
}

interface Page {
  readonly bytes: Buffer
  readonly flags: number
  readonly keys: number
}

/** Of a page. */
const isBranch = 0x01
const isLeaf = 0x02
const isOverflow = 0x04
const hasPlainKeys = 0x20
/** Of a value. */
const isLarge = 0x01
const isTree = 0x02
const isSorted = 0x04
/** Of a database: keys in another order than that of their bytes. */
const reversedKeys = 0x02
const integerKeys = 0x08

const magic = 0xbeef_c0de
/** From a page's content to the end of what a head says. */
const headContent = 136
const treeBytes = 48
const nodeHead = 8
const nowhere = 0xffff_ffff_ffff
const deepest = 32
const mostTries = 20

export async function findInLmdb(readAt: ReadAt, key: Buffer): Promise<PageFound> {
  try {
    for (let tries = 0; tries < mostTries; tries++) {
      const before = await readHeads(readAt)
      const found = await attempt(() => findBy(before, readAt, key))
      const after = await readHeads(readAt)
      if (after.transaction - before.transaction > 1) continue
      if (found instanceof Damaged) throw found
      return found === undefined ? { is: 'none' } : { is: 'found', data: found }
    }
    return { is: 'error', message: 'it is being written all the time' }
  } catch (error) {
    return { is: 'error', message: error instanceof Error ? error.message : String(error) }
  }
}

/** What is read while the file is written may look damaged. */
async function attempt(find: () => Promise<Buffer | undefined>): Promise<Buffer | undefined | Damaged> {
  try {
    return await find()
  } catch (error) {
    if (error instanceof Damaged) return error
    throw error
  }
}

/** The newer of the two. */
async function readHeads(readAt: ReadAt): Promise<Head> {
  const first = parseHead(await readAt(0, 24 + headContent))
  const second = parseHead(await readAt(first.pageBytes, 24 + headContent))
  return first.transaction > second.transaction ? first : second
}

function parseHead(bytes: Buffer): Head {
  const pageHead = [16, 24].find(
    (each) =>
      bytes.length >= each + headContent &&
      bytes.readUInt32LE(each) === magic &&
      bytes.readUInt32LE(each + 4) === (each === 16 ? 1 : 2),
  )
  if (pageHead === undefined) throw new Damaged('not an LMDB file')
  const content = bytes.subarray(pageHead)
  const pageBytes = content.readUInt32LE(24)
  if (pageBytes < 256 || pageBytes > 65_536) throw new Damaged(`pages of ${pageBytes} bytes`)
  const tree = content.subarray(72)
  return {
    pageBytes,
    pageHead,
    base: pageHead === 16 ? 0 : pageHead,
    flags: tree.readUInt16LE(4),
    root: pageNumber(tree, 40),
    lastPage: pageNumber(content, 120),
    transaction: pageNumber(content, 128),
  }
}

async function findBy(head: Head, readAt: ReadAt, key: Buffer): Promise<Buffer | undefined> {
  if ((head.flags & (reversedKeys | integerKeys)) !== 0)
    throw new Error('its keys are numbers, or are sorted from their end')
  const leaf = await descend(head, readAt, head.root, (page) => branchFor(head, page, key))
  if (leaf === undefined) return undefined
  for (let low = 0, high = leaf.keys - 1; low <= high; ) {
    const middle = (low + high) >> 1
    const node = nodeAt(head, leaf, middle)
    const order = Buffer.compare(keyOf(leaf, node), key)
    if (order === 0) return valueOf(head, readAt, leaf, node)
    if (order < 0) low = middle + 1
    else high = middle - 1
  }
  return undefined
}

/** From a root to a leaf; undefined: the tree is empty. */
async function descend(
  head: Head,
  readAt: ReadAt,
  root: number,
  choose: (branch: Page) => number,
): Promise<Page | undefined> {
  if (root >= nowhere) return undefined
  let page = await readPage(head, readAt, root)
  for (let depth = 0; (page.flags & isLeaf) === 0; depth++) {
    if ((page.flags & isBranch) === 0 || page.keys === 0 || depth > deepest)
      throw new Damaged('a page is neither a branch nor a leaf')
    page = await readPage(head, readAt, childAt(head, page, choose(page)))
  }
  return page
}

async function readPage(head: Head, readAt: ReadAt, number: number): Promise<Page> {
  if (number > head.lastPage) throw new Damaged(`there is no page ${number}`)
  const bytes = await readAt(number * head.pageBytes, head.pageBytes)
  if (bytes.length < head.pageBytes) throw new Damaged(`page ${number} is cut off`)
  return pageOf(head, bytes)
}

function pageOf({ pageHead, base }: Head, bytes: Buffer): Page {
  if (bytes.length < pageHead) throw new Damaged('a page is cut off')
  const lower = bytes.readUInt16LE(pageHead - 4) + base
  if (lower < pageHead || lower > bytes.length) throw new Damaged('a page has too many keys')
  return { bytes, flags: bytes.readUInt16LE(pageHead - 6), keys: (lower - pageHead) >> 1 }
}

/** Where a node stands in its page. */
function nodeAt({ pageHead, base }: Head, { bytes }: Page, index: number): number {
  const node = bytes.readUInt16LE(pageHead + 2 * index) + base
  if (node + nodeHead > bytes.length || node + nodeHead + bytes.readUInt16LE(node + 6) > bytes.length)
    throw new Damaged('a key lies beyond its page')
  return node
}

function keyOf({ bytes }: Page, node: number): Buffer {
  return bytes.subarray(node + nodeHead, node + nodeHead + bytes.readUInt16LE(node + 6))
}

/** The last child whose first key is not behind the one that is sought. Its first child has no key. */
function branchFor(head: Head, page: Page, key: Buffer): number {
  let low = 1
  let high = page.keys - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    if (Buffer.compare(keyOf(page, nodeAt(head, page, middle)), key) <= 0) low = middle + 1
    else high = middle - 1
  }
  return high
}

function childAt(head: Head, page: Page, index: number): number {
  const node = nodeAt(head, page, index)
  return page.bytes.readUInt32LE(node) + page.bytes.readUInt16LE(node + 4) * 2 ** 32
}

async function valueOf(head: Head, readAt: ReadAt, leaf: Page, node: number): Promise<Buffer | undefined> {
  const { bytes } = leaf
  const length = bytes.readUInt32LE(node)
  const flags = bytes.readUInt16LE(node + 4)
  const start = node + nodeHead + bytes.readUInt16LE(node + 6)
  if ((flags & isLarge) !== 0) return largeValue(head, readAt, pageNumber(bytes, start), length)
  const value = bytes.subarray(start, start + length)
  if (value.length < length) throw new Damaged('a value lies beyond its page')
  // The name of a database in the file is no key.
  if ((flags & isTree) !== 0 && (flags & isSorted) === 0) return undefined
  if ((flags & isSorted) === 0) return value
  // Of several values of one key the first.
  if ((flags & isTree) === 0) return firstOf(head, pageOf(head, value), value.readUInt16LE(head.pageHead - 8))
  if (length < treeBytes) throw new Damaged('a tree of values is cut off')
  const first = await descend(head, readAt, pageNumber(value, 40), () => 0)
  return first === undefined ? undefined : firstOf(head, first, value.readUInt32LE(0))
}

async function largeValue(head: Head, readAt: ReadAt, number: number, length: number): Promise<Buffer> {
  if (length > largestValue) throw new Error(`a value of ${length} bytes is too large`)
  if (number > head.lastPage) throw new Damaged(`there is no page ${number}`)
  const whole = await readAt(number * head.pageBytes, head.pageHead + length)
  if (whole.length < head.pageHead + length) throw new Damaged('a value is cut off')
  if ((whole.readUInt16LE(head.pageHead - 6) & isOverflow) === 0)
    throw new Damaged('a large value has no page of its own')
  return whole.subarray(head.pageHead)
}

/** @param size of each, where all have the same and stand there without nodes */
function firstOf(head: Head, page: Page, size: number): Buffer | undefined {
  if (page.keys === 0) return undefined
  if ((page.flags & hasPlainKeys) !== 0) return page.bytes.subarray(head.pageHead, head.pageHead + size)
  return keyOf(page, nodeAt(head, page, 0))
}

/** Those above 2^48 are no pages. */
function pageNumber(bytes: Buffer, at: number): number {
  if (at + 8 > bytes.length) throw new Damaged('a number of a page is cut off')
  return Math.min(Number(bytes.readBigUInt64LE(at)), nowhere)
}
