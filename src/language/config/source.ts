/** A configuration file in memory: its bytes, and which line and column an offset stands at. */
import type { Location, MacroUse } from '../../base/diagnostic.ts'
import type { ByteString } from '../../base/text.ts'

export class SourceFile {
  readonly name: string
  readonly text: ByteString
  #starts: readonly number[] | undefined
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
    const start = this.#lineStarts[index] ?? 0
    const newline = this.text.indexOf('\n', start)
    const lineText = this.text.slice(start, newline === -1 ? undefined : newline).replace(/\r$/, '')
    const column = offset - start + 1
    return {
      file: this.name,
      line: index + 1,
      column,
      // A stretch that goes on in the next line ends before the backslash.
      length: Math.max(1, Math.min(length, lineText.replace(/[ \t]*\\?[ \t]*$/, '').length - column + 1)),
      lineText,
      through,
    }
  }
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
