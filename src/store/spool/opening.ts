/** Opens a spool: folders, the lock, the index or its rebuilding, and taking over from dead processes. */
import type { LeftBehind, Spool, SpoolError } from './api.ts'
import { Care } from './care.ts'
import {
  errorCode,
  type FileOwner,
  fileExists,
  listFolder,
  openFile,
  closeFile,
  removeLater,
  removeQuietly,
  renameFile,
  spoolError,
  syncFile,
  writeSmallFile,
} from './disk.ts'
import { FileSpool } from './file-spool.ts'
import {
  indexIsGood,
  isLeft,
  makeOwnFolder,
  noteFilled,
  openIndex,
  readClean,
  segmentFacts,
  writeState,
} from './folders.ts'
import { Journal, type Segment } from './journal.ts'
import { prepareLayout } from './layout.ts'
import { ownProcessKey, pidOf, type ProcessKey, takeLock } from './process-key.ts'
import { type IndexEntry, QueueIndex } from './queue-index.ts'
import { recover, type RecoveryHost } from './recovery.ts'
import { SegmentReader } from './segment-reader.ts'
import { SetAside } from './set-aside.ts'
import { findUnindexed, UnindexedMessages } from './unindexed.ts'

export interface SpoolOptions {
  readonly directory: string
  /** `message_id_form`. */
  readonly messageIdForm?: 'long' | 'short'
  /** `localhost_number`. */
  readonly localhostNumber?: number | undefined
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Takes a sentence about damage and recovery, for the main log. */
  readonly log: (line: string) => void
  /** For looking only: the listing and reading of messages. */
  readonly readOnly?: boolean
  /** A process that does one thing and ends: it leaves the segments of the dead to others. */
  readonly brief?: boolean
  /** Whose new files are to be, when not the process's own. */
  readonly owner?: FileOwner
  /** A segment is closed beyond this size: 32 MB. */
  readonly segmentBytes?: number
  /** How often dead processes are looked for and segments tidied: every 2 seconds. */
  readonly careMs?: number
  /** Told after taking over from a process that was killed. */
  readonly onTakenOver?: ((left: LeftBehind) => void) | undefined
  /** Called once when a sync has failed: this process acknowledges and claims nothing more and should end. */
  readonly onFailure?: ((why: SpoolError) => void) | undefined
  /** Called by name at each point where a crash has its own meaning; see docs/spool-format.md. For tests. */
  readonly crashPoint?: (name: string) => void
}

const lockWaitMs = 180_000

/** Opens the spool, makes it when there is none, and brings it in order after a crash. Rejects with a `SpoolError`. */
export async function openSpool(options: SpoolOptions): Promise<Spool> {
  try {
    const opened = await OpenSpool.open(options)
    const spool = new FileSpool(opened)
    opened.careFor(spool)
    return spool
  } catch (error) {
    throw spoolError(error, `opening the spool ${options.directory}`)
  }
}

/** What the parts of an open spool share. */
export class OpenSpool {
  readonly options: SpoolOptions
  readonly directory: string
  readonly owner: FileOwner | undefined
  readonly crashPoint: (name: string) => void
  /** Name of this process's folder, and its key in claims. */
  readonly key: ProcessKey
  readonly reader: SegmentReader
  readonly setAside: SetAside
  readonly readOnly: boolean
  readonly index: QueueIndex
  readonly journal: Journal | undefined
  /** Who only looks adds these to the index. */
  unindexed: UnindexedMessages = new UnindexedMessages([])
  #care: Care | undefined
  #adopting: Promise<void> | undefined

  private constructor(options: SpoolOptions, key: ProcessKey, index: QueueIndex, readOnly: boolean) {
    this.options = options
    this.directory = options.directory
    this.owner = options.owner
    this.crashPoint = options.crashPoint ?? (() => {})
    this.key = key
    this.index = index
    this.readOnly = readOnly
    this.reader = new SegmentReader(`${this.directory}/segments`)
    this.setAside = new SetAside(this.directory, this.owner, this.reader, options.log)
    if (!readOnly) {
      this.journal = new Journal({
        folder: `${this.directory}/segments/${key}`,
        owner: options.owner,
        segmentBytes: options.segmentBytes ?? 32 << 20,
        crashPoint: this.crashPoint,
        onFailure: options.onFailure,
      })
    }
  }

  static async open(options: SpoolOptions): Promise<OpenSpool> {
    const { directory } = options
    prepareLayout(directory, options.owner, options.readOnly === true)
    const segments = `${directory}/segments`
    // While somebody opens or closes the spool its index may be half made: then we wait for the lock.
    const busy = fileExists(`${directory}/lock`)
    if (options.readOnly === true && !busy && indexIsGood(directory)) return OpenSpool.#look(options)
    const process = ownProcessKey()
    const unlock = await takeLock(directory, 'lock', process, lockWaitMs, options.owner)
    try {
      const others = listFolder(segments)
      const good = indexIsGood(directory)
      if (options.readOnly === true && good) return await OpenSpool.#look(options)
      const key = makeOwnFolder(segments, process, options.owner)
      if (!good) removeQuietly(`${directory}/index`)
      const index = openIndex(directory, key, options.owner, !good)
      const opened = new OpenSpool(options, key, index, false)
      if (!good) await opened.#rebuild(others)
      else if (options.brief !== true) await opened.#adopt(others.filter((name) => isLeft(directory, name)))
      return opened
    } finally {
      unlock()
    }
  }

  static async #look(options: SpoolOptions): Promise<OpenSpool> {
    const { directory } = options
    const opened = new OpenSpool(options, '', QueueIndex.open(`${directory}/index`, true), true)
    opened.unindexed = await findUnindexed(directory, opened.index)
    return opened
  }

  /** Begins the periodic work: dropping and compacting segments, taking over from the dead. */
  careFor(spool: FileSpool): void {
    if (this.journal === undefined) return
    this.#care = new Care(this, this.journal, spool)
    if (this.options.brief !== true) this.#care.start()
  }

  stopCare(): Promise<void> {
    return this.#care?.stop() ?? Promise.resolve()
  }

  log(line: string): void {
    this.options.log(line)
  }

  /** True while segments of a process wait to be taken over (or it lives). */
  hasFolder(key: ProcessKey): boolean {
    return fileExists(`${this.directory}/segments/${key}`)
  }

  /** Takes over from all processes that have died. */
  adoptDead(): Promise<void> {
    const folders = listFolder(`${this.directory}/segments`)
    if (!folders.some((name) => isLeft(this.directory, name))) return Promise.resolve()
    this.#adopting ??= this.#adoptUnderLock().finally(() => {
      this.#adopting = undefined
    })
    return this.#adopting
  }

  /** Takes a message that cannot be read out of the queue. */
  async dropDamaged(id: string, entry: IndexEntry, why: string): Promise<void> {
    await this.setAside.message(id, entry, why)
    await this.journal?.append({
      type: 'tombstone',
      id,
      sequence: entry.sequence + 1,
      json: { segments: entry.parts.slice(0, 1).map(({ segment }) => segment) },
    })
    this.index.transact((write) => {
      const now = write.get(id)
      if (now !== undefined) write.remove(id, now)
    })
  }

  /** @param clean false: the index could not be brought up to date, so the next start must read the segments */
  async close(clean: boolean): Promise<void> {
    const { journal } = this
    if (journal === undefined) return this.index.close()
    await journal.finish()
    // Again, as tombstones kept for one segment may lie in a new one when that is gone.
    for (let pass = 0; pass < 3 && clean && journal.failure === undefined; pass++) {
      if ((await this.#care?.dropDead()) === 0) break
      await journal.finish()
    }
    await journal.close()
    const folder = `${this.directory}/segments/${this.key}`
    const segments = `${this.directory}/segments`
    const unlock = await this.#lock()
    try {
      const left = journal.segments()
      if (clean) writeSmallFile(folder, 'clean', JSON.stringify(left.map(segmentFacts)), this.owner)
      if (clean && left.length === 0) removeQuietly(folder)
      const othersLive = listFolder(segments).some((name) => !isLeft(this.directory, name))
      const allClean = listFolder(segments).every((name) => fileExists(`${segments}/${name}/clean`))
      await this.index.close()
      if (!othersLive && allClean) await this.#markClean()
    } finally {
      unlock()
    }
  }

  /** While this is done no segment changes hands: what is not found is not there. */
  async locked<T>(work: () => T | Promise<T>): Promise<T> {
    const unlock = await this.#lock()
    try {
      return await work()
    } finally {
      unlock()
    }
  }

  #lock(): Promise<() => void> {
    return takeLock(this.directory, 'lock', ownProcessKey(), lockWaitMs, this.owner)
  }

  async #markClean(): Promise<void> {
    const fd = await openFile(`${this.directory}/index/data.mdb`, 'write')
    try {
      await syncFile(fd)
    } finally {
      await closeFile(fd)
    }
    writeState(this.directory, this.owner, true)
  }

  async #rebuild(others: readonly string[]): Promise<void> {
    const { directory } = this
    const started = performance.now()
    const folders = others.map((name) => `${directory}/segments/${name}`)
    this.crashPoint('index-emptied')
    const done = await recover(this.#recoveryHost(), folders, true)
    this.#takeSegments(done.segments)
    for (const folder of folders) removeQuietly(folder)
    this.crashPoint('index-filled')
    noteFilled(directory)
    this.#removeOrphans(others, true, true)
    if (done.segments.length > 0) {
      const seconds = ((performance.now() - started) / 1000).toFixed(1)
      this.log(
        `spool index rebuilt: ${done.messages} messages from ${done.segments.length} segments in ${seconds}s`,
      )
    }
  }

  async #adoptUnderLock(): Promise<void> {
    await this.locked(() =>
      this.#adopt(listFolder(`${this.directory}/segments`).filter((name) => isLeft(this.directory, name))),
    )
  }

  async #adopt(dead: readonly string[]): Promise<void> {
    // What was read in this turn may be older than what they wrote last.
    this.index.refresh()
    for (const name of dead) {
      const folder = `${this.directory}/segments/${name}`
      const clean = readClean(folder)
      let completed: ReadonlySet<string> = new Set()
      if (clean === undefined) {
        const done = await recover(this.#recoveryHost(), [folder], false)
        this.#takeSegments(done.segments)
        ;({ completed } = done)
        this.#tellLeft(name, done.living)
        this.log(
          `spool: took over ${done.segments.length} segments of process ${pidOf(name)}, which ended without closing`,
        )
      } else this.#takeSegments(clean)
      removeQuietly(folder)
      this.#removeOrphans([name], clean === undefined, false, completed)
    }
  }

  /** Messages that wait for a time to come, or for somebody, are left to queue runs. */
  #tellLeft(dead: ProcessKey, living: readonly string[]): void {
    const { onTakenOver, now } = this.options
    if (onTakenOver === undefined) return
    const held: string[] = []
    const untried: string[] = []
    for (const id of living) {
      const entry = this.index.get(id)
      if (entry === undefined || entry.frozenAt !== undefined || entry.nextAttemptAt > now()) continue
      if (entry.claimedBy === dead) held.push(id)
      else if (entry.claimedBy === '' && entry.firstDelivery && entry.queueName === '') untried.push(id)
    }
    if (held.length + untried.length > 0) onTakenOver({ held, untried })
  }

  /** Moves segments into this process's folder. */
  #takeSegments(segments: readonly Segment[]): void {
    for (const segment of segments) {
      const path = `${this.directory}/segments/${this.key}/${segment.name}`
      try {
        renameFile(segment.path, path)
      } catch (error) {
        if (errorCode(error) === 'ENOENT') continue
        throw error
      }
      this.journal?.adopt({ ...segment, path })
    }
  }

  /** Removes body files and message logs that belong to no message: what a crash left of half-received mail. */
  #removeOrphans(
    dead: readonly string[],
    crashed: boolean,
    all: boolean,
    completed: ReadonlySet<string> = new Set(),
  ): void {
    const bodies = `${this.directory}/bodies`
    for (const name of listFolder(bodies)) {
      const id = name.slice(0, name.indexOf('.'))
      const owner = name.slice(name.indexOf('.') + 1)
      // A dead process may have completed a message that another one took in.
      if (!all && !dead.includes(owner) && !completed.has(id)) continue
      if (this.index.get(id)?.bodyFile === name) continue
      // After damage it may be all that is left of an acknowledged message.
      if (this.setAside.list.length > 0) this.setAside.body(name)
      else removeLater(`${bodies}/${name}`)
    }
    if (!crashed) return
    // A message is in the index before its log is a file.
    this.index.refresh()
    const logs = `${this.directory}/msglog`
    for (const id of listFolder(logs)) if (!this.index.has(id)) removeLater(`${logs}/${id}`)
  }

  #recoveryHost(): RecoveryHost {
    const { directory, index, setAside } = this
    return { directory, index, setAside }
  }
}
