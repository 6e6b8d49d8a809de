/**
 * What a process that only looks must add to the index: messages that are committed, and logged, but are not in the index
 * yet. Their process keeps them out of it for a moment by design, and for longer while it is held up or the disk is full;
 * those of a process that died wait until another takes over.
 */
import { fileExists, fileInfo, listFolder } from './disk.ts'
import { isAlive } from './process-key.ts'
import type { IndexEntry, QueueIndex } from './queue-index.ts'
import { isDamage, readSegmentHead, scanRecords } from './record.ts'
import { entryFromRecords, type Found, note, readWhole } from './recovery.ts'

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
  const found = new Map<string, Found>()
  const paths = new Map<string, string>()
  for (const folder of listFolder(`${directory}/segments`)) {
    const path = `${directory}/segments/${folder}`
    // A process that ended in order has brought all into the index.
    if (fileExists(`${path}/clean`)) continue
    const alive = isAlive(folder)
    for (const name of listFolder(path)) {
      if (!/^[0-9a-f]{16}$/.test(name)) continue
      const bytes = await readSegment(`${path}/${name}`, alive)
      const stamp = bytes === undefined ? 'free' : (readSegmentHead(bytes) ?? Buffer.from(name, 'hex'))
      if (bytes === undefined || stamp === 'free') continue
      const segment = stamp.toString('hex')
      paths.set(segment, `${path}/${name}`)
      for (const item of scanRecords(bytes, stamp)) if (!isDamage(item)) note(found, segment, item)
    }
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
      const bytes = await readSegment(paths.get(message.segment) ?? '', false)
      if (bytes === undefined) continue
      last = { segment: message.segment, bytes }
    }
    messages.push({ id, entry: entryFromRecords(last.bytes, message.segment, of, message) })
  }
  return new UnindexedMessages(messages.sort((a, b) => (a.id < b.id ? -1 : 1)))
}

/** Undefined when it is gone, or is old. */
async function readSegment(path: string, recentOnly: boolean): Promise<Buffer | undefined> {
  try {
    if (recentOnly && Date.now() - fileInfo(path).mtimeMs > recentMs) return undefined
    return await readWhole(path)
  } catch {
    // Taken over, used again or dropped meanwhile: then the index knows.
    return undefined
  }
}
