/** All lines that tell of a message, and of the reports it gave rise to. */
import { systemReason } from '../../base/system-error.ts'
import type { ByteString } from '../../base/text.ts'
import type { LogFile, LogKind } from './log-files.ts'

export interface FoundLine {
  /** Files that hold it. */
  readonly kinds: LogKind[]
  readonly text: ByteString
  /** Lines that belong to it, as the reject log's headers. */
  readonly more: ByteString[]
  /** Of the JSON twin: what it says as fields. */
  fields?: Readonly<Record<string, unknown>>
}

export interface Followed {
  /** In the order of time. */
  readonly lines: readonly FoundLine[]
  /** The ids that were followed, those asked for first. */
  readonly ids: readonly string[]
  /** More lines than are kept were there. */
  readonly cut: boolean
  /** Files that could not be read, with why. */
  readonly unread: readonly string[]
}

const mostLines = 20_000
const mostIds = 1000
const mostMore = 500

const stamp = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{3})?(?: [+-]\d{4})?`
const ofMessage = new RegExp(`^${stamp} (?:\\[\\d+\\] )?(\\w{6}-\\w{6}-\\w{2}|\\w{6}-\\w{11}-\\w{4}) (.*)$`)
const begins = new RegExp(`^${stamp} `)

/** @param read lines of one file */
export async function follow(
  wanted: readonly string[],
  files: readonly LogFile[],
  read: (file: LogFile) => AsyncIterable<ByteString>,
): Promise<Followed> {
  const ids = new Set(wanted)
  const lines = new Map<ByteString, FoundLine>()
  const unread: string[] = []
  let cut = false
  const seen = (text: ByteString, kind: LogKind): FoundLine | undefined => {
    let line = lines.get(text)
    if (line === undefined) {
      if (lines.size >= mostLines) {
        cut = true
        return undefined
      }
      lines.set(text, (line = { kinds: [], text, more: [] }))
    }
    if (!line.kinds.includes(kind)) line.kinds.push(kind)
    return line
  }

  async function one(file: LogFile): Promise<void> {
    let last: FoundLine | undefined
    for await (const text of read(file)) {
      const match = ofMessage.exec(text)
      const id = match?.[1]
      if (id === undefined) {
        // Headers in the reject log follow the line that they belong to.
        if (begins.test(text)) last = undefined
        else if (last !== undefined && file.kind === 'reject' && last.more.length < mostMore)
          last.more.push(text)
        continue
      }
      // A bounce or warning names the message it is about.
      const about = / R=(\S+)/.exec(match?.[2]?.startsWith('<= ') === true ? (match[2] ?? '') : '')?.[1]
      if (about !== undefined && ids.has(about) && ids.size < mostIds) ids.add(id)
      last = ids.has(id) ? seen(text, file.kind) : undefined
    }
  }

  for (const file of files) {
    if (file.kind === 'json') continue
    try {
      await one(file)
    } catch (error) {
      unread.push(`${file.path}: ${systemReason(error)}`)
    }
  }
  for (const file of files)
    if (file.kind === 'json') await addFields(file).catch(() => unread.push(file.path))
  const sorted = [...lines.values()].sort((a, b) =>
    timeOf(a) < timeOf(b) ? -1 : timeOf(a) > timeOf(b) ? 1 : 0,
  )
  return { lines: sorted, ids: [...ids], cut, unread }

  /** The twin of a line has its text. */
  async function addFields(file: LogFile): Promise<void> {
    const byText = new Map(
      [...lines.values()].map((line) => [ofMessage.exec(line.text)?.slice(1).join(' ') ?? '', line]),
    )
    for await (const text of read(file)) {
      if (![...ids].some((id) => text.includes(id))) continue
      const fields = parsed(text)
      if (fields === undefined) continue
      const line = byText.get(
        Buffer.from(`${String(fields['id'])} ${String(fields['text'])}`, 'utf8').toString('latin1'),
      )
      if (line !== undefined) line.fields = fields
    }
  }
}

/** A time as text; lines of one second keep their order. */
function timeOf({ text }: FoundLine): string {
  return text.slice(0, '2026-11-24 02:40:06'.length)
}

function parsed(text: ByteString): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'latin1').toString('utf8'))
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    return undefined
  }
}
