/**
 * Locks of node-sqlite3-wasm: a folder `FILE.lock`, which stays behind when its process is killed. In the process of
 * sqlite-worker.ts each lock gets a marker `FILE.lock-of-PID`, so that those of dead processes can be told and removed.
 */
import { readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'

/** The part of `node:fs` that the package calls, on the object on which it calls it. */
interface LockCalls {
  mkdirSync: (path: string, ...more: unknown[]) => unknown
  rmdirSync: (path: string, ...more: unknown[]) => unknown
}

/** From now on every lock of this process has a marker. Only for a process that does nothing else. */
export function markLocks(file: string): void {
  const lock = `${file}.lock`
  const marker = `${lock}-of-${process.pid}`
  // The package requires `fs` and calls its properties.
  const calls = createRequire(import.meta.url)('node:fs') as LockCalls
  const { mkdirSync, rmdirSync: remove } = calls
  calls.mkdirSync = (path, ...more) => {
    const made = mkdirSync(path, ...more)
    if (path === lock) writeFileSync(marker, '')
    return made
  }
  calls.rmdirSync = (path, ...more) => {
    // The marker goes first: without its lock it would accuse the next holder.
    if (path === lock) rmSync(marker, { force: true })
    return remove(path, ...more)
  }
}

/** Removes the lock of a process that is no more; true when there was one. */
export function removeDeadLock(file: string): boolean {
  const lock = `${file}.lock`
  const start = `${basename(lock)}-of-`
  let removed = false
  for (const name of readdirSync(dirname(file))) {
    const pid = name.startsWith(start) ? Number(name.slice(start.length)) : Number.NaN
    if (!Number.isInteger(pid) || isAlive(pid)) continue
    rmSync(join(dirname(file), name), { force: true })
    try {
      rmdirSync(lock)
      removed = true
    } catch {
      // It was gone already.
    }
  }
  return removed
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it lives and belongs to another.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
