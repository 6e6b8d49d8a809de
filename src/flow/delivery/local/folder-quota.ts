/** Quotas of folders without `maildirsize`: the whole tree counts. Source: Exim manual, appendfile option "quota". */
import { readdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { type CompiledRegex, compileRegex } from '../../../base/regex.ts'
import type { LocalResult } from '../local-job.ts'
import { errorNumbers } from '../results.ts'
import { isFolder, type MaildirUse, sizeOfFile } from './maildir-use.ts'

export interface FolderQuota {
  /** Bytes and files; 0: none. */
  readonly quota: number
  readonly quotaFileCount: number
  /** `no_check`. */
  readonly quotaUnchecked: boolean
  readonly quotaFileCountUnchecked: boolean
  /** Undefined: the folder itself. */
  readonly quotaDirectory: string | undefined
  readonly quotaInclusive: boolean
  /** Finds the size of a message in its file name. */
  readonly quotaSizeRegex: string | undefined
  readonly messageSize: number
  /** What the configuration says that it holds; undefined: it is counted. */
  readonly knownBytes: number | undefined
  readonly knownFiles: number | undefined
}

/** Folders below folders that are counted, and files looked at. */
const depthLimit = 20
const fileLimit = 1_000_000

/** @param file what would be written, for the sentence */
export async function folderFull(
  job: FolderQuota & { readonly directory: string },
  file: string,
): Promise<LocalResult | undefined> {
  if (job.quota <= 0 && job.quotaFileCount <= 0) return undefined
  const { knownBytes, knownFiles } = job
  const counted =
    knownBytes !== undefined && (knownFiles !== undefined || job.quotaFileCount === 0)
      ? { bytes: 0, files: 0 }
      : await treeUse(job.quotaDirectory ?? job.directory, job.quotaSizeRegex)
  return quotaExceeded(job, { bytes: knownBytes ?? counted.bytes, files: knownFiles ?? counted.files }, file)
}

/** The deferral of a mailbox that holds this much. */
export function quotaExceeded(
  job: FolderQuota,
  used: MaildirUse,
  file: string,
): Extract<LocalResult, { is: 'failed' | 'deferred' }> | undefined {
  const size = used.bytes + (job.quotaInclusive ? job.messageSize : 0)
  const files = used.files + (job.quotaInclusive ? 1 : 0)
  const tooBig = !job.quotaUnchecked && job.quota > 0 && size > job.quota
  const tooMany = !job.quotaFileCountUnchecked && job.quotaFileCount > 0 && files > job.quotaFileCount
  if (!tooBig && !tooMany) return undefined
  return {
    is: 'deferred',
    errno: errorNumbers.mailboxFull,
    more: 0,
    message: `mailbox is full (MTA-imposed ${tooBig ? '' : 'filecount '}quota exceeded while writing to ${file})`,
  }
}

/** All that a folder holds. Files of any name, links and the folders within each count as one. Observed of Exim 4.96. */
export async function treeUse(directory: string, sizeInName: string | undefined): Promise<MaildirUse> {
  const compiled = sizeInName === undefined ? undefined : compileRegex(sizeInName)
  const pattern = compiled === undefined || 'error' in compiled ? undefined : compiled
  const total = { bytes: 0, files: 0 }
  await addTree(directory, pattern, total, [])
  return total
}

/** @param above the folders around it, so that a link to one of them is no way down */
async function addTree(
  directory: string,
  pattern: CompiledRegex | undefined,
  total: { bytes: number; files: number },
  above: readonly string[],
): Promise<void> {
  const itself = await realpath(directory).catch(() => undefined)
  if (itself === undefined || above.includes(itself) || above.length > depthLimit) return
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => [])
  for (const entry of entries) {
    if (total.files >= fileLimit) return
    total.files++
    const path = join(directory, entry.name)
    if (await isFolder(entry, path)) await addTree(path, pattern, total, [...above, itself])
    else total.bytes += await sizeOfFile(path, entry.name, pattern)
  }
}
