/**
 * Takes over an Exim queue and hands one out: `postern spool import|export`.
 * Source: Exim manual, "Format of spool files".
 */
import { isMessageId } from '../../base/message-id.ts'
import { fromBytes, toBytes } from '../../base/text.ts'
import type { Envelope } from '../../mail/envelope.ts'
import type { Spool } from './api.ts'
import {
  closeFile,
  createFile,
  errorCode,
  fileSize,
  listFolder,
  makeFolder,
  openFile,
  readAt,
  readSmallFile,
  removeQuietly,
  syncData,
  syncFolder,
  writeAt,
} from './disk.ts'
import { headerFileOf } from './exim-files.ts'
import { parseHeaderFile } from './read-exim-files.ts'

export interface TransferResult {
  readonly messages: number
  readonly problems: readonly { readonly what: string; readonly why: string }[]
}

const pieceBytes = 64 * 1024
const headerFileLimit = 256 << 20

/** Called with the number of messages that have been dealt with. */
export type Tell = (done: number) => void

/** Writes every message of the spool as -H and -D files below `directory`/input. The spool is not changed. */
export async function exportSpool(spool: Spool, directory: string, tell?: Tell): Promise<TransferResult> {
  const input = `${directory}/input`
  for (const folder of [directory, input, `${directory}/msglog`]) makeFolder(folder, undefined)
  const problems: { what: string; why: string }[] = []
  let messages = 0
  for (const id of Array.from(spool.list(), (entry) => entry.id)) {
    tell?.(messages + problems.length)
    try {
      if (await exportMessage(spool, id, directory)) messages++
    } catch (error) {
      problems.push({ what: `message ${id}`, why: error instanceof Error ? error.message : String(error) })
    }
  }
  await syncFolder(input)
  return { messages, problems }
}

/** False when it was completed meanwhile. */
async function exportMessage(spool: Spool, id: string, directory: string): Promise<boolean> {
  const message = await spool.read(id)
  if (message === undefined) return false
  const data = await createFile(`${directory}/input/${id}-D`, undefined)
  try {
    let at = 0
    const put = async (bytes: Uint8Array): Promise<void> => {
      await writeAt(data, bytes, at)
      at += bytes.length
    }
    await put(Buffer.from(`${id}-D\n`))
    for await (const piece of message.body()) await put(piece)
    await syncData(data)
  } finally {
    await closeFile(data)
  }
  await writeWhole(`${directory}/input/${id}-H`, toBytes(headerFileOf(message.envelope)))
  const log = await spool.messageLog(id)
  if (log !== undefined && log !== '') await writeWhole(`${directory}/msglog/${id}`, toBytes(log))
  return true
}

async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const fd = await createFile(path, undefined)
  try {
    await writeAt(fd, bytes, 0)
    await syncData(fd)
  } finally {
    await closeFile(fd)
  }
}

/**
 * Takes the messages of an Exim spool (its folder, its `input`, or one folder of it). No Exim may work on it.
 * @param options.remove takes the files away once the message is safe here
 */
export async function importSpool(
  spool: Spool,
  directory: string,
  options: { readonly remove?: boolean; readonly tell?: Tell } = {},
): Promise<TransferResult> {
  const problems: { what: string; why: string }[] = []
  let messages = 0
  for (const folder of inputFolders(directory)) {
    for (const name of listFolder(folder).sort()) {
      const id = name.endsWith('-H') ? name.slice(0, -2) : ''
      if (!isMessageId(id)) continue
      options.tell?.(messages + problems.length)
      try {
        const why = await importMessage(spool, folder, id)
        if (why === undefined) messages++
        else problems.push({ what: `message ${id}`, why })
        if (why === undefined && options.remove === true) {
          for (const kind of ['H', 'J', 'D']) removeQuietly(`${folder}/${id}-${kind}`)
        }
      } catch (error) {
        problems.push({ what: `message ${id}`, why: error instanceof Error ? error.message : String(error) })
      }
    }
  }
  return { messages, problems }
}

/** How many messages an Exim spool seems to hold. */
export function countEximMessages(directory: string): number {
  let found = 0
  for (const folder of inputFolders(directory))
    for (const name of listFolder(folder)) if (name.endsWith('-H')) found++
  return found
}

/** The folder itself, its `input`, and the folders of one character of a split spool. */
function inputFolders(directory: string): string[] {
  const roots = [directory, `${directory}/input`]
  const split = roots.flatMap((root) =>
    listFolder(root)
      .filter((name) => /^\w$/.test(name))
      .map((name) => `${root}/${name}`),
  )
  return [...roots, ...split]
}

/** Why it could not be taken over; undefined when it is safe in the spool. */
async function importMessage(spool: Spool, folder: string, id: string): Promise<string | undefined> {
  if (spool.entry(id) !== undefined) return 'a message of this id is in the spool already'
  const text = readSmallFile(`${folder}/${id}-H`, headerFileLimit)
  const envelope = parseHeaderFile(fromBytes(text ?? new Uint8Array()))
  if (typeof envelope === 'string') return envelope
  if (envelope.id !== id) return `its -H file says it is ${envelope.id}`
  let data: number
  try {
    data = await openFile(`${folder}/${id}-D`)
  } catch (error) {
    return errorCode(error) === 'ENOENT' ? 'its -D file is missing' : String(error)
  }
  try {
    const start = id.length + 3
    if ((await readAt(data, 0, start)).toString('latin1') !== `${id}-D\n`)
      return 'its -D file does not begin with its name'
    const { spoolFileWireformat: wire, ...rest } = envelope
    const incoming = spool.begin({ id })
    let lines = 0
    try {
      for await (const piece of bodyPieces(data, start, wire === true)) {
        lines += countLines(piece)
        await incoming.write(piece)
      }
      await incoming.commit({
        ...withJournal(rest, readSmallFile(`${folder}/${id}-J`)),
        bodySize: incoming.size,
        bodyLines: wire === true ? lines : rest.bodyLines,
      })
    } catch (error) {
      await incoming.abort()
      throw error
    }
  } finally {
    await closeFile(data)
  }
  return undefined
}

/** Addresses that were delivered when Exim was stopped before it wrote the -H file anew. */
function withJournal(envelope: Envelope, journal: Buffer | undefined): Envelope {
  if (journal === undefined) return envelope
  const done = journal
    .toString('latin1')
    .split('\n')
    .filter((line) => line !== '')
  return { ...envelope, done: [...new Set([...envelope.done, ...done])] }
}

/** The body with LF line ends, also of a file that has CRLF. */
async function* bodyPieces(fd: number, start: number, wire: boolean): AsyncGenerator<Buffer> {
  const size = await fileSize(fd)
  let heldReturn = false
  for (let at = start; at < size; ) {
    const bytes = await readAt(fd, at, Math.min(pieceBytes, size - at))
    if (bytes.length === 0) return
    at += bytes.length
    if (!wire) {
      yield bytes
      continue
    }
    const text: string = (heldReturn ? '\r' : '') + bytes.toString('latin1')
    heldReturn = text.endsWith('\r') && at < size
    yield toBytes((heldReturn ? text.slice(0, -1) : text).replaceAll('\r\n', '\n'))
  }
}

function countLines(bytes: Uint8Array): number {
  let count = 0
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) count++
  return count
}
