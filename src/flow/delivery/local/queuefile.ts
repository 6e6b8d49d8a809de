/** Copies a message into a folder in the form of Exim's spool files. Source: Exim manual, "The queuefile transport". */
import { open, rename, unlink } from 'node:fs/promises'
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
  try {
    const sizeBytes = await writeFile(`${base}-D`, bodyFile(job.id, body))
    // A queue runner looks for -H files: it comes last, whole.
    await writeFile(`${base}-H.tmp`, [Buffer.from(job.headerFile, 'latin1')])
    await rename(`${base}-H.tmp`, `${base}-H`)
    await syncFolder(job.directory)
    return { is: 'done', sizeBytes }
  } catch (error) {
    await unlink(`${base}-H.tmp`).catch(() => undefined)
    await unlink(`${base}-D`).catch(() => undefined)
    return deferredByFile(error, `failed to copy the message into ${job.directory}`)
  }
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
