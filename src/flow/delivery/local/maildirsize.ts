/**
 * The file `maildirsize`: how much a maildir holds, kept by all who write to it, so that nobody has to count.
 * Source: Exim manual, "Using a maildir quota with maildirsize"; https://www.courier-mta.org/imap/README.maildirquota.html.
 */
import { open, readFile, rename, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { CompiledRegex } from '../../../base/regex.ts'
import { type MaildirUse, maildirUse } from './maildir-use.ts'

export interface SizeFileRequest {
  readonly directory: string
  /** Bytes and files; 0: none. */
  readonly quota: number
  readonly quotaFileCount: number
  readonly sizeInName: string | undefined
  /** Folders that count. */
  readonly counted: CompiledRegex | undefined
  /** For the name of a temporary file. */
  readonly uniqueName: string
  readonly mode: number
  readonly now: number
}

/** Beyond it the file is written anew: the document's own limit. */
const longestBytes = 5120
/** A file that says over quota is believed for so long. */
const believedMs = 15 * 60 * 1000

/** What the maildir holds, from the file or counted anew. */
export async function readSizeFile(request: SizeFileRequest): Promise<MaildirUse> {
  const path = join(request.directory, 'maildirsize')
  const known = await readKnown(path, request)
  if (known !== undefined) return known
  const used = await maildirUse(request.directory, request.sizeInName, request.counted)
  await writeAnew(path, used, request)
  return used
}

/** Undefined: not there, of another quota, too long, wrong, or over quota and old. */
async function readKnown(path: string, request: SizeFileRequest): Promise<MaildirUse | undefined> {
  try {
    const { size, mtimeMs } = await stat(path)
    if (size > longestBytes) return undefined
    const lines = (await readFile(path, 'latin1')).split('\n')
    if (lines[0] !== quotaLine(request)) return undefined
    let bytes = 0
    let files = 0
    for (const line of lines.slice(1)) {
      if (line === '') continue
      const match = /^ *(-?\d+) +(-?\d+) *$/.exec(line)
      if (match === null) return undefined
      bytes += Number(match[1])
      files += Number(match[2])
    }
    const over =
      (request.quota > 0 && bytes > request.quota) ||
      (request.quotaFileCount > 0 && files > request.quotaFileCount)
    // With more than the first count in it, it may have drifted.
    const drifted = over && (lines.length > 3 || request.now - mtimeMs > believedMs)
    if (drifted || bytes < 0 || files < 0) return undefined
    return { bytes, files }
  } catch {
    return undefined
  }
}

/** `10485760S,1000C`. */
function quotaLine({ quota, quotaFileCount }: SizeFileRequest): string {
  return `${quota}S,${quotaFileCount}C`
}

async function writeAnew(
  path: string,
  { bytes, files }: MaildirUse,
  request: SizeFileRequest,
): Promise<void> {
  const temporary = join(request.directory, 'tmp', `${request.uniqueName}.maildirsize`)
  try {
    const handle = await open(temporary, 'wx', request.mode)
    try {
      if ((request.mode & 0o077) !== 0) await handle.chmod(request.mode)
      await handle.appendFile(`${quotaLine(request)}\n${bytes} ${files}\n`)
    } finally {
      await handle.close()
    }
    await rename(temporary, path)
  } catch {
    await unlink(temporary).catch(() => undefined)
  }
}

/** One more message. A file that cannot be written costs the next delivery a count, nothing else. */
export async function addToSizeFile(directory: string, bytes: number): Promise<void> {
  try {
    const handle = await open(join(directory, 'maildirsize'), 'a')
    try {
      await handle.appendFile(`${bytes} 1\n`)
    } finally {
      await handle.close()
    }
  } catch {
    // See above.
  }
}
