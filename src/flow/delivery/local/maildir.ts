/**
 * Writes a message into a maildir: into `tmp` under a name that nobody else has, synced, then moved into `new`.
 * Source: Exim manual, "The appendfile transport", "Maildir delivery"; https://cr.yp.to/proto/maildir.html.
 */
import { mkdir, open, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { ByteString } from '../../../base/text.ts'
import type { LocalJobCommon, LocalResult } from '../local-job.ts'
import { deferredByFile, fileError } from './file-error.ts'

export interface MaildirJob {
  readonly kind: 'maildir'
  readonly directory: string
  readonly createDirectory: boolean
  readonly directoryMode: number
  readonly mode: number
  /** Unique within the host: seconds, microseconds, process, host name. */
  readonly name: string
  /** Appended to the name in `new`. */
  readonly tag: string
}

export async function deliverToMaildir(
  job: LocalJobCommon & MaildirJob,
  body: AsyncIterable<Uint8Array>,
): Promise<LocalResult> {
  for (let attempt = 0; ; attempt++) {
    const name = attempt === 0 ? job.name : job.name.replace('.', `.A${attempt}`)
    const temporary = join(job.directory, 'tmp', name)
    try {
      const handle = await open(temporary, 'wx', job.mode)
      let size = 0
      try {
        await handle.chmod(job.mode)
        const write = async (bytes: Uint8Array): Promise<void> => {
          await handle.writeFile(bytes)
          size += bytes.length
        }
        await write(Buffer.from(job.head, 'latin1'))
        for await (const piece of body) await write(piece)
        if (job.tail !== '') await write(Buffer.from(job.tail, 'latin1'))
        await handle.datasync()
      } catch (error) {
        await handle.close()
        await unlink(temporary).catch(() => undefined)
        return deferredByFile(error, `while writing ${temporary}`)
      }
      await handle.close()
      await rename(temporary, join(job.directory, 'new', `${name}${job.tag}`))
      await syncFolder(join(job.directory, 'new'))
      return { is: 'done', sizeBytes: size }
    } catch (error) {
      const { code, errno, text } = fileError(error)
      if (code === 'EEXIST' && attempt < 10) continue
      if (code === 'ENOENT' && attempt === 0) {
        const made = await makeMaildir(job)
        if (made !== undefined) return made
        continue
      }
      return {
        is: 'deferred',
        errno,
        more: 0,
        errorText: text,
        message: `failed to deliver into maildir ${job.directory}: ${text}`,
      }
    }
  }
}

async function makeMaildir(job: MaildirJob): Promise<LocalResult | undefined> {
  try {
    if (job.createDirectory) await makeFolders(job.directory, job.directoryMode)
    for (const part of ['tmp', 'new', 'cur']) {
      await mkdir(join(job.directory, part), { mode: job.directoryMode }).catch((error: unknown) => {
        if (fileError(error).code !== 'EEXIST') throw error
      })
    }
    return undefined
  } catch (error) {
    return deferredByFile(error, `cannot create maildir folders in ${job.directory}`)
  }
}

async function makeFolders(path: string, mode: number): Promise<void> {
  await mkdir(path, { recursive: true, mode })
}

/** Makes a new name in a folder survive a power cut. */
export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** `1795488013.M111922P9756.mta.example`. */
export function maildirName(microseconds: number, pid: number, host: ByteString): string {
  const seconds = Math.floor(microseconds / 1e6)
  return `${seconds}.M${Math.floor(microseconds % 1e6)}P${pid}.${host.replaceAll('/', '\\057').replaceAll(':', '\\072')}`
}
