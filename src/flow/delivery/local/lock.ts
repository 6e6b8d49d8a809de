/**
 * Locks of mailbox files: a lock file beside the mailbox, then a lock on the open file itself.
 * Source: Exim manual, "The appendfile transport", "Operational details for appending".
 */
import { link, lstat, open, stat, unlink } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { openPosix, type Posix } from '../../../base/posix.ts'
import { fileError } from './file-error.ts'

export interface LockPlan {
  readonly lockFile: boolean
  readonly fcntl: boolean
  readonly flock: boolean
  readonly retries: number
  readonly intervalMs: number
  /** `lock_fcntl_timeout`, `lock_flock_timeout`: how long one try waits for a lock; 0: not at all. */
  readonly waitMs: number
  /** A lock file older than this is left over and removed. 0: never. */
  readonly staleMs: number
  readonly lockFileMode: number
  /** Part of the name of the file that is linked to the lock file: unique among hosts and processes. */
  readonly uniqueName: string
}

export type LockOutcome =
  | { readonly is: 'locked'; unlock(): Promise<void> }
  | { readonly is: 'busy' }
  /** `hitch`: the file that was to be linked to the lock file. */
  | { readonly is: 'failed'; readonly error: unknown; readonly hitch?: string }

/** Makes `mailbox.lock` by way of a link, which works over NFS too. */
export async function takeLockFile(mailbox: string, plan: LockPlan): Promise<LockOutcome> {
  const name = `${mailbox}.lock`
  const hitch = `${name}.${plan.uniqueName}`
  for (let attempt = 0; ; attempt++) {
    try {
      const handle = await open(hitch, 'wx', plan.lockFileMode)
      await handle.close()
      const linked = await linkTo(hitch, name)
      await unlink(hitch)
      if (linked) return { is: 'locked', unlock: () => unlink(name).catch(() => undefined) }
    } catch (error) {
      await unlink(hitch).catch(() => undefined)
      return { is: 'failed', error, hitch }
    }
    if (await removeStale(name, plan.staleMs)) continue
    if (attempt >= plan.retries) return { is: 'busy' }
    await sleep(plan.intervalMs)
  }
}

/** A link that was made shows in the count even when the answer was lost. */
async function linkTo(hitch: string, name: string): Promise<boolean> {
  try {
    await link(hitch, name)
    return true
  } catch (error) {
    const { code } = fileError(error)
    if (code !== 'EEXIST') {
      if ((await stat(hitch)).nlink === 2) return true
      throw error
    }
    return false
  }
}

async function removeStale(name: string, staleMs: number): Promise<boolean> {
  if (staleMs <= 0) return false
  try {
    const { ctimeMs } = await lstat(name)
    if (Date.now() - ctimeMs < staleMs) return false
    await unlink(name)
    return true
  } catch {
    return false
  }
}

/** Locks an open file against other programs, trying again as often as the plan allows. */
export async function lockOpenFile(fd: number, plan: LockPlan): Promise<LockOutcome> {
  if (!plan.fcntl && !plan.flock) return { is: 'locked', unlock: () => Promise.resolve() }
  const posix = openPosix()
  if (typeof posix === 'string') return { is: 'failed', error: new Error(posix) }
  for (let attempt = 0; ; attempt++) {
    const result = lockOnce(fd, plan, posix)
    // Closing the file gives the locks up.
    if (result === 'locked') return { is: 'locked', unlock: () => Promise.resolve() }
    if (result !== 'busy') return { is: 'failed', error: new Error(result.error) }
    if (await waitForLock(fd, plan, posix)) return { is: 'locked', unlock: () => Promise.resolve() }
    if (attempt >= triesOf(plan)) return { is: 'busy' }
    if (plan.waitMs === 0) await sleep(plan.intervalMs)
  }
}

/** With a timeout of their own, tries take as long together as they would have without. */
function triesOf({ retries, intervalMs, waitMs }: LockPlan): number {
  return waitMs === 0 ? retries : Math.ceil((retries * intervalMs) / waitMs)
}

/** A blocking lock, asked for again and again so that nothing else has to wait. */
async function waitForLock(fd: number, plan: LockPlan, posix: Posix): Promise<boolean> {
  const until = Date.now() + plan.waitMs
  while (Date.now() < until) {
    await sleep(Math.min(100, plan.waitMs))
    if (lockOnce(fd, plan, posix) === 'locked') return true
  }
  return false
}

function lockOnce(fd: number, plan: LockPlan, posix: Posix): 'locked' | 'busy' | { readonly error: string } {
  if (plan.fcntl) {
    const result = posix.fcntlLock(fd, 'write')
    if (result !== 'locked') return result
  }
  return plan.flock ? posix.flock(fd, 'write') : 'locked'
}
