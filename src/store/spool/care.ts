/** The periodic work: dropping segments that say nothing any more, copying the living out of nearly empty ones. */
import { spoolError, writeSmallFile } from './disk.ts'
import type { FileSpool } from './file-spool.ts'
import { segmentFacts } from './folders.ts'
import type { Journal, Segment } from './journal.ts'
import { scanRecords, isDamage } from './record.ts'
import type { OpenSpool } from './opening.ts'
import { findSegment } from './segment-reader.ts'
import { readWhole } from './recovery.ts'

const roundMs = 2000
/** Below this part of living bytes a segment is emptied. */
const livingShare = 0.25
const copiesPerRound = 500
/** With more segments than this, those that brief processes left with a message or two are put together. */
const segmentsLimit = 64
const smallSegment = 1 << 20

export class Care {
  readonly #open: OpenSpool
  readonly #journal: Journal
  readonly #spool: FileSpool
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #stopped = false
  /** The last complaint: a full disk would repeat it every round. */
  #told = ''
  /** Names in the file `settled`. */
  #settled = ''

  constructor(open: OpenSpool, journal: Journal, spool: FileSpool) {
    this.#open = open
    this.#journal = journal
    this.#spool = spool
  }

  start(): void {
    try {
      this.#noteSettled()
    } catch (error) {
      // A full disk: it is tried again in the next round.
      this.#tell(`spool: ${spoolError(error, 'tidying').message}`)
    }
    this.#schedule()
  }

  #schedule(): void {
    if (this.#stopped) return
    this.#timer = setTimeout(() => {
      this.#running = this.round()
        .then(
          () => {
            this.#told = ''
          },
          (error: unknown) => this.#tell(`spool: ${spoolError(error, 'tidying').message}`),
        )
        .finally(() => {
          this.#running = undefined
          this.#schedule()
        })
    }, this.#open.options.careMs ?? roundMs)
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#running
  }

  #tell(line: string): void {
    if (line !== this.#told) this.#open.log(line)
    this.#told = line
  }

  async round(): Promise<void> {
    await this.#open.adoptDead()
    await this.dropDead()
    this.#noteSettled()
    await this.#compact()
  }

  /** After a crash of this process nobody need read again what the index knows. */
  #noteSettled(): void {
    const settled = this.#journal.sealed().filter(({ name }) => this.#spool.isSettled(name))
    const names = settled.map(({ name }) => name).join(' ')
    if (names === this.#settled) return
    const { directory, key, owner } = this.#open
    writeSmallFile(
      `${directory}/segments/${key}`,
      'settled',
      JSON.stringify(settled.map(segmentFacts)),
      owner,
    )
    this.#settled = names
  }

  /** Drops segments that no message and no tombstone needs, and tells how many. */
  async dropDead(): Promise<number> {
    this.#spool.flushIndex()
    this.#open.index.refresh()
    let dropped = 0
    // Those with the fewest tombstones first: then others need not keep theirs for them.
    const segments = this.#journal.sealed().toSorted((a, b) => a.tombstones.size - b.tombstones.size)
    for (const segment of segments) {
      if (this.#open.index.segmentUse(segment.name).messages > 0) continue
      if (this.#spool.needsSegment(segment.name)) continue
      await this.#keepTombstones(segment)
      this.#open.crashPoint('segment-dropping')
      await this.#journal.drop(segment)
      this.#forget(segment)
      dropped++
    }
    return dropped
  }

  /** A tombstone stays until the segments that hold its message are gone. */
  async #keepTombstones(segment: Segment): Promise<void> {
    const root = `${this.#open.directory}/segments`
    const named = new Set([...segment.tombstones.values()].flat())
    const isThere = (name: string): boolean => findSegment(root, name) !== undefined
    const missing = [...named].filter((name) => !isThere(name))
    // One that is just handed to another process is in no folder, as it seems: while none is, that is certain.
    const gone =
      missing.length === 0
        ? new Set<string>()
        : new Set(await this.#open.locked(() => missing.filter((name) => !isThere(name))))
    for (const [id, others] of segment.tombstones) {
      const left = others.filter((name) => !gone.has(name))
      if (left.length === 0) continue
      // Sequence numbers do not matter to a tombstone: an id is never used again.
      const { segment: to } = await this.#journal.append({
        type: 'tombstone',
        id,
        sequence: 0,
        json: { segments: left },
      })
      this.#journal.segment(to)?.tombstones.set(id, left)
      this.#open.index.transact((write) => write.putTombstone(id, to, left))
      segment.tombstones.delete(id)
    }
  }

  #forget(segment: Segment): void {
    if (segment.tombstones.size === 0 && this.#open.index.toldUpTo(segment.name) === 0) return
    this.#open.index.transact((write) => {
      write.removeTold(segment.name)
      for (const id of segment.tombstones.keys()) {
        if (write.tombstone(id)?.[0] === segment.name) write.removeTombstone(id)
      }
    })
  }

  async #compact(): Promise<void> {
    let copies = 0
    const sealed = this.#journal.sealed()
    for (const segment of sealed) {
      const use = this.#open.index.segmentUse(segment.name)
      const small = sealed.length > segmentsLimit && segment.size < smallSegment
      if (use.messages === 0 || (!small && use.bytes >= segment.size * livingShare)) continue
      const ids = new Set<string>()
      for (const item of scanRecords(await readWhole(segment.path), Buffer.from(segment.name, 'hex'))) {
        if (!isDamage(item)) ids.add(item.id)
      }
      for (const id of ids) {
        if (this.#stopped || copies >= copiesPerRound) return
        const entry = this.#open.index.get(id)
        if (entry?.parts.some((part) => part.segment === segment.name) !== true) continue
        const claim = await this.#spool.claim(id)
        if (claim === undefined) continue
        copies++
        try {
          await this.#spool.rewrite(claim)
        } finally {
          claim.release()
        }
      }
    }
  }
}
