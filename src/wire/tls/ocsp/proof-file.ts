/**
 * The file a fetched proof is kept in. Its modification time is when the next one is to be fetched: that is how the
 * helper of 2014 did it, and scripts look at it. A door: it writes the file.
 */
import { promises as fs } from 'node:fs'
import { dirname } from 'node:path'

/** When the next fetch is due; undefined: there is no proof yet. */
export async function dueAt(path: string): Promise<number | undefined> {
  try {
    return (await fs.stat(path)).mtimeMs
  } catch {
    return undefined
  }
}

/** Before this much of the time left is over: a percentage, as `-m` gives it. */
export function nextFetch(now: number, usableUntil: number, marginPercent: number): number {
  return usableUntil - ((usableUntil - now) * marginPercent) / 100
}

/** Writes FILE.tmp and renames it over FILE, so that a reader sees the old proof or the new one. */
export async function writeProof(path: string, proof: Buffer, due: number): Promise<string | undefined> {
  const fresh = `${path}.tmp`
  try {
    await fs.rm(fresh, { force: true })
    const file = await fs.open(fresh, 'wx', 0o644)
    try {
      await file.writeFile(proof)
      await file.utimes(new Date(), new Date(due))
      await file.sync()
    } finally {
      await file.close()
    }
    await fs.rename(fresh, path)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Makes the folder of a proof of our own. */
export async function makeProofFolder(path: string): Promise<void> {
  await fs.mkdir(dirname(path), { recursive: true, mode: 0o750 })
}
