/**
 * The entries of an lsearch file.
 * Source: Exim manual, "Single-key lookup types", lsearch.
 */
import type { Awaitable } from '../../base/outcome.ts'
import type { ByteString } from '../../base/text.ts'

export interface Entry {
  readonly key: ByteString
  readonly data: ByteString
  /** What stands between the two, when it is not a colon alone: `ret=full` gives the line as it is written. */
  readonly gap?: ByteString
}

/** Files above this size are read in slices, so that others have their turn. */
const sliceBytes = 128 * 1024
/** Reading a file of this size has taken its time already. */
const largeBytes = 4 * 1024 * 1024

/** Calls `take` for each entry in order; large files go on asynchronously. */
export function eachEntry(bytes: ByteString, take: (entry: Entry) => void): Awaitable<void> {
  const walk = new Walk(bytes, take)
  if (bytes.length < largeBytes) walk.until(sliceBytes)
  if (walk.done) return undefined
  return (async () => {
    while (!walk.done) {
      await new Promise((resolve) => setImmediate(resolve))
      walk.until(walk.position + sliceBytes)
    }
  })()
}

class Walk {
  position = 0
  private key: ByteString | undefined
  private gap: ByteString = ':'
  private data: ByteString[] = []
  private readonly bytes: ByteString
  private readonly take: (entry: Entry) => void
  done = false
  constructor(bytes: ByteString, take: (entry: Entry) => void) {
    this.bytes = bytes
    this.take = take
  }

  until(limit: number): void {
    const { bytes } = this
    while (this.position < bytes.length && this.position < limit) {
      const newline = bytes.indexOf('\n', this.position)
      const end = newline < 0 ? bytes.length : newline
      this.line(bytes.slice(this.position, end))
      this.position = end + 1
    }
    if (this.position >= bytes.length && !this.done) {
      this.flush()
      this.done = true
    }
  }

  private line(line: ByteString): void {
    const first = line.charCodeAt(0)
    if (line === '' || first === 35) return
    if (first === 32 || first === 9 || first === 13) {
      const more = line.trim()
      if (more !== '' && this.key !== undefined) this.data.push(more)
      return
    }
    this.flush()
    const { key, gap, rest } = splitLine(line)
    this.key = key
    this.gap = gap
    this.data = [rest]
  }

  private flush(): void {
    if (this.key === undefined) return
    const { key, gap } = this
    const data = this.data.length === 1 ? (this.data[0] ?? '') : this.data.join(' ')
    this.take(gap === ':' ? { key, data } : { key, data, gap })
    this.key = undefined
  }
}

interface SplitLine {
  readonly key: ByteString
  readonly gap: ByteString
  readonly rest: ByteString
}

/** Key and data of a line: the key ends at a colon or white space, or at its closing quote. */
export function splitLine(line: ByteString): SplitLine {
  if (line.startsWith('"')) {
    let key = ''
    let at = 1
    while (at < line.length && line.charAt(at) !== '"') {
      if (line.charAt(at) === '\\') {
        const escape = /^\\(?:([0-7]{1,3})|x([0-9a-fA-F]{1,2})|(.))/.exec(line.slice(at, at + 4))
        if (escape === null) break
        key += unescape(escape)
        at += escape[0].length
      } else key += line.charAt(at++)
    }
    return { key, ...afterKey(line, at + 1) }
  }
  let end = 0
  while (end < line.length) {
    const code = line.charCodeAt(end)
    if (code === 58 || code === 32 || code === 9 || code === 13) break
    end++
  }
  return { key: line.slice(0, end), ...afterKey(line, end) }
}

function afterKey(line: ByteString, end: number): Omit<SplitLine, 'key'> {
  let at = end
  while (isBlank(line.charCodeAt(at))) at++
  if (line.charCodeAt(at) === 58) at++
  const rest = line.slice(at).trim()
  if (rest === '') return { gap: line.slice(end).trimEnd(), rest }
  // The usual ones are shared: a file may have a million lines.
  if (line.startsWith(':', end) && line.startsWith(rest, end + 1)) return { gap: ':', rest }
  if (line.startsWith(': ', end) && line.startsWith(rest, end + 2)) return { gap: ': ', rest }
  while (isBlank(line.charCodeAt(at))) at++
  return { gap: line.slice(end, at), rest }
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9
}

const letters: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' }

function unescape(escape: RegExpExecArray): string {
  const [, octal, hex, char = ''] = escape
  if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 255)
  if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16))
  return letters[char] ?? char
}
