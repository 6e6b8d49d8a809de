/**
 * What a process that only looks must add to the index: messages that are committed, and logged, but are not in the index
 * yet. Their process keeps them out of it for a moment by design, and for longer while it is held up or the disk is full;
 * those of a process that died wait until another takes over.
 */
import { closeFile, fileExists, fileInfo, fileSize, listFolder, openFile, readAt } from './disk.ts'
import { isAlive } from './process-key.ts'
import type { IndexEntry, QueueIndex } from './queue-index.ts'
import { isDamage, jsonOf, readSegmentHead, scanRecords, segmentHeadBytes } from './record.ts'
import { type Found, note } from './findings.ts'
import { entryFromRecords, readWhole } from './recovery.ts'

/** What a living process wrote longer ago than this is in the index. */
const recentMs = 60_000
/** A listing goes by what was found for so long; after that the index has it. */
const validMs = 5000

export interface Unindexed {
  readonly id: string
  readonly entry: IndexEntry
}

/** What has been found, for a short while. */
export class UnindexedMessages {
  readonly #found: readonly Unindexed[]
  readonly #since = performance.now()

  constructor(found: readonly Unindexed[]) {
    this.#found = found
  }

  /** In the order of their ids, without those that are in the index by now. */
  list(index: QueueIndex): readonly Unindexed[] {
    if (this.#found.length === 0 || performance.now() - this.#since > validMs) return []
    return this.#found.filter(({ id }) => !index.has(id))
  }

  get(id: string, index: QueueIndex): IndexEntry | undefined {
    return this.list(index).find((one) => one.id === id)?.entry
  }
}

/** Both, in the order of ids. */
export function* merged(rows: Iterable<Unindexed>, added: readonly Unindexed[]): Generator<Unindexed> {
  let next = 0
  for (const row of rows) {
    for (let one = added[next]; one !== undefined && one.id < row.id; one = added[++next]) yield one
    yield row
  }
  yield* added.slice(next)
}

/** Reads the segments that may hold such messages. The index is looked at after them, so that nothing falls between. */
export async function findUnindexed(directory: string, index: QueueIndex): Promise<UnindexedMessages> {
  // What it has been told is read before the segments.
  index.refresh()
  const found = new Map<string, Found>()
  const paths = new Map<string, string>()
  for (const candidate of candidates(directory, index)) {
    const part = await readUntold(candidate)
    if (part === undefined) continue
    const { stamp, bytes, base } = part
    const segment = stamp.toString('hex')
    paths.set(segment, candidate.path)
    for (const item of scanRecords(bytes, stamp, base)) if (!isDamage(item)) note(found, segment, item)
  }
  index.refresh()
  const messages: Unindexed[] = []
  let last: { readonly segment: string; readonly bytes: Buffer } | undefined
  for (const [id, of] of found) {
    const { message, tombstone } = of
    if (message === undefined || tombstone !== undefined) continue
    // One that another process completed has left its tombstone in the index.
    if (index.has(id) || index.tombstone(id) !== undefined) continue
    if (last?.segment !== message.segment) {
      const bytes = await readSegment(paths.get(message.segment) ?? '')
      if (bytes === undefined) continue
      last = { segment: message.segment, bytes }
    }
    messages.push({ id, entry: entryFromRecords(jsonOf(last.bytes, message.offset), of, message) })
  }
  return new UnindexedMessages(messages.sort((a, b) => (a.id < b.id ? -1 : 1)))
}

interface Candidate {
  readonly path: string
  readonly name: string
  /** What was written long ago is in the index. */
  readonly recentOnly: boolean
  readonly told: number
}

/** Segments, and how far the index knew each at one and the same moment. */
function candidates(directory: string, index: QueueIndex): Candidate[] {
  const list: Candidate[] = []
  for (const folder of listFolder(`${directory}/segments`)) {
    const within = `${directory}/segments/${folder}`
    // A process that ended in order has brought all into the index.
    if (fileExists(`${within}/clean`)) continue
    const recentOnly = isAlive(folder)
    for (const name of listFolder(within)) {
      if (!/^[0-9a-f]{16}$/.test(name)) continue
      list.push({ path: `${within}/${name}`, name, recentOnly, told: index.toldUpTo(name) })
    }
  }
  return list
}

/** What the index need not have heard of; undefined: nothing. */
async function readUntold({
  path,
  name,
  recentOnly,
  told,
}: Candidate): Promise<
  { readonly stamp: Buffer; readonly bytes: Buffer; readonly base: number } | undefined
> {
  try {
    if (recentOnly && Date.now() - fileInfo(path).mtimeMs > recentMs) return undefined
    const fd = await openFile(path)
    try {
      const size = await fileSize(fd)
      const head = await readAt(fd, 0, Math.min(size, segmentHeadBytes))
      const stamp = readSegmentHead(head) ?? Buffer.from(name, 'hex')
      if (stamp === 'free') return undefined
      // The name of a file used again need not have reached the disk.
      const base = stamp.toString('hex') === name && told > segmentHeadBytes ? told : 0
      return base >= size ? undefined : { stamp, bytes: await readAt(fd, base, size - base), base }
    } finally {
      await closeFile(fd)
    }
  } catch {
    // Taken over, used again or dropped meanwhile: then the index knows.
    return undefined
  }
}

/** Undefined when it is gone. */
async function readSegment(path: string): Promise<Buffer | undefined> {
  try {
    return await readWhole(path)
  } catch {
    // Taken over, used again or dropped meanwhile: then the index knows.
    return undefined
  }
}
