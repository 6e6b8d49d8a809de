/** Whose folders and whose index: what tells a crash from a proper end. */
import { lmdbFileProblem } from '../lmdb-file.ts'
import { SpoolError } from './api.ts'
import {
  fileExists,
  type FileOwner,
  listFolder,
  makeFolder,
  readSmallFile,
  removeQuietly,
  restrict,
  writeSmallFile,
} from './disk.ts'
import type { Segment } from './journal.ts'
import { bootId, isAlive, pidOf, type ProcessKey, unknownBoot } from './process-key.ts'
import { QueueIndex } from './queue-index.ts'

/** True for the folder of a process that has closed it, or died. */
export function isLeft(directory: string, name: string): boolean {
  return fileExists(`${directory}/segments/${name}/clean`) || !isAlive(name)
}

/** A folder that no other open spool has, even one of this process. */
export function makeOwnFolder(
  segments: string,
  process: ProcessKey,
  owner: FileOwner | undefined,
): ProcessKey {
  for (let number = 0; ; number++) {
    const key = number === 0 ? process : `${process}.${number}`
    if (makeFolder(`${segments}/${key}`, owner)) return key
  }
}

/**
 * The index can be used when other living processes use it; when the last one closed it properly, or died since the system
 * was started; never when a process died while opening or filling it.
 */
export function indexIsGood(directory: string): boolean {
  // Whoever was to fill it died or gave up: what it does not know is in segments that nobody would read.
  if (fileExists(`${directory}/index/${unfilled}`)) return false
  if (!fileExists(`${directory}/index/data.mdb`)) {
    const live = listFolder(`${directory}/segments`).find((name) => !isLeft(directory, name))
    if (live === undefined) return false
    throw new SpoolError('io', `the index of ${directory} is missing while process ${pidOf(live)} uses it`)
  }
  const folders = listFolder(`${directory}/segments`)
  if (folders.some((name) => !isLeft(directory, name))) return true
  if (lmdbFileProblem(`${directory}/index/data.mdb`) !== undefined) return false
  if (listFolder(`${directory}/index`).some((name) => name.startsWith('opening.'))) return false
  const state = readState(directory)
  // Processes that were killed leave an index as others left it: what LMDB wrote is with the system, until that goes down.
  if (state?.boot === bootId() && state.boot !== unknownBoot) return true
  return state?.clean === true && folders.every((name) => fileExists(`${directory}/segments/${name}/clean`))
}

/** Stands in the folder of an index that is being made anew, until it knows all that the segments say. */
const unfilled = 'unfilled'

/** The index knows all now. */
export function noteFilled(directory: string): void {
  removeQuietly(`${directory}/index/${unfilled}`)
}

/**
 * Leaves a mark while LMDB opens: a damaged index can end the process, and then it is made anew.
 * @param anew it is empty, and counts for nothing until `noteFilled`
 */
export function openIndex(
  directory: string,
  key: ProcessKey,
  owner: FileOwner | undefined,
  anew: boolean,
): QueueIndex {
  const folder = `${directory}/index`
  makeFolder(folder, owner)
  if (anew) writeSmallFile(folder, unfilled, '', owner)
  // Asked before the mark: no room is no damage.
  const mapBytes = QueueIndex.mapBytes(folder)
  writeState(directory, owner, false)
  const mark = `opening.${key}`
  writeSmallFile(folder, mark, '', owner)
  const index = QueueIndex.open(folder, false, mapBytes)
  index.count()
  for (const name of ['data.mdb', 'lock.mdb']) restrict(`${folder}/${name}`, owner)
  removeQuietly(`${folder}/${mark}`)
  return index
}

interface IndexState {
  readonly boot: string
  readonly clean: boolean
}

export function writeState(directory: string, owner: FileOwner | undefined, clean: boolean): void {
  const before = readState(directory)
  if (before?.clean === clean && !clean) return
  const state: IndexState = { boot: bootId(), clean }
  writeSmallFile(`${directory}/index`, 'state', JSON.stringify(state), owner, true)
}

function readState(directory: string): IndexState | undefined {
  return parseFile(`${directory}/index/state`) as IndexState | undefined
}

export function readClean(folder: string): Segment[] | undefined {
  return readFacts(folder, 'clean')
}

/** Of a process that lives or was killed: segments of which the index knows all. */
export function readSettled(folder: string): ReadonlyMap<string, Segment> {
  return new Map((readFacts(folder, 'settled') ?? []).map((segment) => [segment.name, segment]))
}

function readFacts(folder: string, file: 'clean' | 'settled'): Segment[] | undefined {
  // Written whole by `segmentFacts` below, or not readable at all.
  const facts = parseFile(`${folder}/${file}`) as ReturnType<typeof segmentFacts>[] | undefined
  return facts?.map(({ name, size, tombstones }) => ({
    name,
    path: `${folder}/${name}`,
    size,
    tombstones: new Map(tombstones),
  }))
}

export function segmentFacts(segment: Segment): {
  name: string
  size: number
  tombstones: [string, readonly string[]][]
} {
  return { name: segment.name, size: segment.size, tombstones: [...segment.tombstones] }
}

function parseFile(path: string): unknown {
  const text = readSmallFile(path, 64 << 20)?.toString('utf8')
  if (text === undefined || text === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
