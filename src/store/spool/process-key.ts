/**
 * Who a process is, so that another can tell whether it still lives: number, start time and boot.
 * A number alone is used again; with the time it began and the boot it belongs to, never.
 */
import {
  errorCode,
  type FileOwner,
  linkFile,
  readProc,
  readSmallFile,
  removeQuietly,
  unlinkFile,
  writeSmallFile,
} from './disk.ts'

/** `PID.START.BOOT`, START in clock ticks since boot, BOOT the first 8 characters of the boot id. */
export type ProcessKey = string

/** Where the system does not tell. */
export const unknownBoot = 'unknown'

export function bootId(): string {
  return readSmallProcFile('/proc/sys/kernel/random/boot_id').trim().slice(0, 8) || unknownBoot
}

export function ownProcessKey(): ProcessKey {
  return `${process.pid}.${startTime(process.pid) ?? 0}.${bootId()}`
}

/** The process number in a key (or in the name of a folder that begins with one). */
export function pidOf(key: ProcessKey): number {
  return Number.parseInt(key, 10)
}

/** True while the process lives. A suffix after the three parts is not looked at. */
export function isAlive(key: ProcessKey): boolean {
  const [pid, start, boot] = key.split('.')
  if (boot !== bootId()) return false
  const now = startTime(Number(pid))
  if (now !== undefined) return String(now) === start
  return isHidden(Number(pid))
}

/** Where /proc shows only one's own processes (hidepid), another user's is there when no signal may reach it. */
function isHidden(pid: number): boolean {
  try {
    process.kill(pid, 0)
    // A zombie of ours, or one that ended a moment ago.
    return false
  } catch (error) {
    return errorCode(error) === 'EPERM'
  }
}

/** Start of a process in clock ticks since boot; undefined when there is none or it is a zombie. */
function startTime(pid: number): number | undefined {
  const text = readSmallProcFile(`/proc/${pid}/stat`)
  // The name of the program stands in brackets and may hold anything: count fields after the last one.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined
  const start = Number(fields[19])
  return text === '' || Number.isNaN(start) ? undefined : start
}

function readSmallProcFile(path: string): string {
  try {
    return readProc(path)
  } catch (error) {
    // ESRCH: the process ended between opening and reading.
    if (['ENOENT', 'ESRCH', 'EACCES'].includes(errorCode(error))) return ''
    throw error
  }
}

/** Most locks are held for some milliseconds. */
const longestPauseMs = 10

/**
 * Takes the lock `folder/name`, waiting for a living holder and taking over from a dead one.
 * @returns what gives it up again
 */
export async function takeLock(
  folder: string,
  name: string,
  key: ProcessKey,
  waitMs: number,
  owner: FileOwner | undefined,
): Promise<() => void> {
  const lock = `${folder}/${name}`
  const mine = `${name}.${key}`
  const until = Date.now() + waitMs
  for (let pause = 1; ; pause = Math.min(2 * pause, longestPauseMs)) {
    writeSmallFile(folder, mine, key, owner)
    try {
      linkFile(`${folder}/${mine}`, lock)
      unlinkFile(`${folder}/${mine}`)
      return () => {
        if (readSmallFile(lock)?.toString() === key) removeQuietly(lock)
      }
    } catch (error) {
      removeQuietly(`${folder}/${mine}`)
      if (errorCode(error) !== 'EEXIST') throw error
    }
    const holder = readSmallFile(lock)?.toString()
    if (holder !== undefined && !isAlive(holder) && takeAway(folder, name, key, holder, owner)) continue
    if (Date.now() > until) throw new Error(`${lock} is held by process ${holder ?? 'unknown'}`)
    await new Promise((resolve) => setTimeout(resolve, pause))
  }
}

/**
 * Removes the lock of a dead holder. Who may do so is the one that has the right to it, a lock of its own for each dead holder: so what is
 * removed is what was looked at, and never the lock that another one has taken by now.
 * @returns false: another one is doing so
 */
function takeAway(
  folder: string,
  name: string,
  key: ProcessKey,
  holder: string,
  owner: FileOwner | undefined,
): boolean {
  const right = `${name}.of.${holder.replaceAll(/[^\w.]/g, '_').slice(0, 100)}`
  const mine = `${right}.${key}`
  writeSmallFile(folder, mine, key, owner)
  try {
    linkFile(`${folder}/${mine}`, `${folder}/${right}`)
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
    const other = readSmallFile(`${folder}/${right}`)?.toString()
    return other !== undefined && !isAlive(other) && takeAway(folder, right, key, other, owner)
  } finally {
    removeQuietly(`${folder}/${mine}`)
  }
  if (readSmallFile(`${folder}/${name}`)?.toString() === holder) removeQuietly(`${folder}/${name}`)
  removeQuietly(`${folder}/${right}`)
  return true
}
