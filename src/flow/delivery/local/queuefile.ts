/** Copies a message into a folder in the form of Exim's spool files. Source: Exim manual, "The queuefile transport". */
import { access, link, open, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { ByteString } from '../../../base/text.ts'
import type { LocalJobCommon, LocalResult } from '../local-job.ts'
import { deferredByFile } from './file-error.ts'
import { syncFolder } from './maildir.ts'

export interface QueuefileJob {
  readonly kind: 'queuefile'
  readonly directory: string
  readonly id: string
  /** The whole -H file. */
  readonly headerFile: ByteString
}

export async function copyToQueue(
  job: LocalJobCommon & QueuefileJob,
  body: AsyncIterable<Uint8Array>,
): Promise<LocalResult> {
  const base = join(job.directory, job.id)
  const unique = crypto.randomUUID()
  const data = `${base}-D.${unique}`
  const header = `${base}-H.${unique}`
  try {
    const sizeBytes = await writeFile(data, bodyFile(job.id, body))
    await writeFile(header, [Buffer.from(job.headerFile, 'latin1')])
    // Of a copy that broke off there is no -H file; another one stays as it is.
    if (!(await isThere(`${base}-H`))) await rename(data, `${base}-D`)
    // A queue runner looks for -H files: it comes last, whole.
    await link(header, `${base}-H`)
    await unlink(header)
    await syncFolder(job.directory)
    return { is: 'done', sizeBytes }
  } catch (error) {
    for (const path of [header, data]) await unlink(path).catch(() => undefined)
    return deferredByFile(error, `failed to copy the message into ${job.directory}`)
  }
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

/** The first line of a -D file is its own name. */
async function* bodyFile(id: string, body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  yield Buffer.from(`${id}-D\n`, 'latin1')
  yield* body
}

async function writeFile(
  path: string,
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<number> {
  const handle = await open(path, 'wx', 0o640)
  try {
    let size = 0
    for await (const piece of pieces) {
      await handle.appendFile(piece)
      size += piece.length
    }
    await handle.datasync()
    return size
  } finally {
    await handle.close()
  }
}
