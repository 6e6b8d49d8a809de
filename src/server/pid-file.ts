/** The daemon's pid file. A door: it writes a file. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** Writes this process's number; the sentence why not, else undefined. */
export function writePidFile(path: string, pid: number): string | undefined {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
    // Removed first: an existing link is never written through.
    rmSync(path, { force: true })
    writeFileSync(path, `${pid}\n`, { mode: 0o644, flag: 'wx' })
    return undefined
  } catch (error) {
    return `failed to open pid file ${path}: ${error instanceof Error ? error.message : String(error)}`
  }
}

/** The number in it, when there is one. */
export function readPidFile(path: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(path, 'latin1'), 10)
    return Number.isInteger(pid) && pid > 0 ? pid : undefined
  } catch {
    return undefined
  }
}

/** `-oPX`; the sentence why not, else undefined. What holds no process number is no pid file and stays. */
export function removeStalePidFile(path: string): string | undefined {
  if (readPidFile(path) === undefined) return `${path} is no pid file`
  try {
    rmSync(path)
    return undefined
  } catch (error) {
    return `cannot remove pid file ${path}: ${error instanceof Error ? error.message : String(error)}`
  }
}

/** Removes it when it still is ours. */
export function removePidFile(path: string, pid: number): void {
  if (readPidFile(path) !== pid) return
  try {
    rmSync(path, { force: true })
  } catch {
    // The folder may belong to root while this process does not: a stale pid file does no harm.
  }
}
