/** How much a maildir holds, for quotas. Source: Exim manual, "The appendfile transport", options quota*. */
import type { Dirent } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type CompiledRegex, compileRegex } from '../../../base/regex.ts'

export interface MaildirUse {
  readonly bytes: number
  readonly files: number
}

/** Folders below folders that are counted, and files looked at: a mailbox beyond is full anyhow. */
const depthLimit = 4
const fileLimit = 1_000_000

/** Sums `cur`, `new` and the folders of a maildir++ (`.Name`). */
export async function maildirUse(
  directory: string,
  sizeInName: string | undefined,
  countedFolders?: CompiledRegex,
): Promise<MaildirUse> {
  const compiled = sizeInName === undefined ? undefined : compileRegex(sizeInName)
  const pattern = compiled === undefined || 'error' in compiled ? undefined : compiled
  const total = { bytes: 0, files: 0 }
  await addFolder(directory, pattern, total, 0, countedFolders)
  return total
}

async function addFolder(
  directory: string,
  pattern: CompiledRegex | undefined,
  total: { bytes: number; files: number },
  depth: number,
  countedFolders: CompiledRegex | undefined,
): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => [])
  for (const entry of entries) {
    if (total.files >= fileLimit) return
    const path = join(directory, entry.name)
    if (await isFolder(entry, path)) {
      const counted =
        isUsual(entry.name) &&
        (depth > 0 || countedFolders === undefined || matchesName(countedFolders, entry.name))
      if (counted && depth < depthLimit) await addFolder(path, pattern, total, depth + 1, countedFolders)
      continue
    }
    // Files beside the folders (subscriptions, indexes) are no mail.
    if (depth === 0 || !/\/(cur|new)$/.test(directory)) continue
    total.files++
    total.bytes += await sizeOfFile(path, entry.name, pattern)
  }
}

function isUsual(name: string): boolean {
  return name === 'cur' || name === 'new' || name.startsWith('.')
}

function matchesName(regex: CompiledRegex, name: string): boolean {
  const found = regex.match(name)
  return found !== undefined && !('error' in found)
}

/** Symbolic links are followed. */
export async function isFolder(entry: Dirent, path: string): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isDirectory()
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}

/** As its name tells, else as it is; a file with further names counts for its part. Observed of Exim 4.96. */
export async function sizeOfFile(
  path: string,
  name: string,
  pattern: CompiledRegex | undefined,
): Promise<number> {
  const match = pattern?.match(name)
  const told = match === undefined || 'error' in match ? undefined : match[1]
  if (told !== undefined) return Number(told)
  return stat(path).then(
    (found) => (found.isFile() ? Math.floor(found.size / found.nlink) : 0),
    () => 0,
  )
}
