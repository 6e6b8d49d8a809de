/** A configuration file in memory: its bytes, and which line and column an offset stands at. */
import type { Location, MacroUse } from '../../base/diagnostic.ts'
import type { ByteString } from '../../base/text.ts'

export class SourceFile {
  readonly name: string
  readonly text: ByteString
  #starts: readonly number[] | undefined
  /** The line asked for last: many places may stand in one long line. */
  #last: Line | undefined
  constructor(name: string, text: ByteString) {
    this.name = name
    this.text = text
  }

  /** Offsets at which the lines start; made when a place is first asked for. */
  get #lineStarts(): readonly number[] {
    if (this.#starts !== undefined) return this.#starts
    const starts = [0]
    for (let at = this.text.indexOf('\n'); at !== -1; at = this.text.indexOf('\n', at + 1))
      starts.push(at + 1)
    this.#starts = starts
    return starts
  }

  /** Line number, from 1, of an offset. */
  lineAt(offset: number): number {
    return lastNotAfter(this.#lineStarts, offset) + 1
  }

  /** The place of `length` bytes at an offset; the stretch is cut at the end of its line. */
  location(offset: number, length: number, through: readonly MacroUse[]): Location {
    const index = lastNotAfter(this.#lineStarts, offset)
    const line = this.#last?.index === index ? this.#last : this.#line(index)
    const { start, lineText, end } = line
    const column = offset - start + 1
    return {
      file: this.name,
      line: index + 1,
      column,
      // A stretch that goes on in the next line ends before the backslash.
      length: Math.max(1, Math.min(length, end - column + 1)),
      lineText,
      through,
    }
  }

  #line(index: number): Line {
    const start = this.#lineStarts[index] ?? 0
    const newline = this.text.indexOf('\n', start)
    const whole = this.text.slice(start, newline === -1 ? undefined : newline)
    const lineText = whole.endsWith('\r') ? whole.slice(0, -1) : whole
    this.#last = { index, start, lineText, end: withoutContinuation(lineText) }
    return this.#last
  }
}

interface Line {
  readonly index: number
  readonly start: number
  readonly lineText: ByteString
  /** Length without the backslash that continues it and the blanks around that. */
  readonly end: number
}

function withoutContinuation(line: ByteString): number {
  const skipBlanks = (from: number): number => {
    let end = from
    while (end > 0 && (line[end - 1] === ' ' || line[end - 1] === '\t')) end--
    return end
  }
  const end = skipBlanks(line.length)
  return line[end - 1] === '\\' ? skipBlanks(end - 1) : end
}

/** Index of the last of the sorted numbers that is not greater than `value`; 0 when all are. */
function lastNotAfter(sorted: readonly number[], value: number): number {
  let low = 0
  let high = sorted.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((sorted[middle] ?? 0) <= value) low = middle
    else high = middle - 1
  }
  return low
}
