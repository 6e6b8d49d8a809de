/** Words of a retry or rewriting rule: up to white space, or in double quotes. */
import { type MappedText, skipSpace } from './mapped.ts'
import { unquote } from './strings.ts'

export interface Word {
  readonly text: MappedText
  readonly start: number
  /** Behind the word, at the next one or at the end. */
  readonly next: number
}

/** The word at `from`; undefined at the end of the line. A quote that is not closed runs to the end. */
export function readWord(line: MappedText, from: number, quotes: boolean = true): Word | undefined {
  const start = skipSpace(line.text, from)
  if (start >= line.text.length) return undefined
  if (quotes && line.text[start] === '"') {
    const quoted = unquote(line, start)
    if (quoted === undefined) return { text: line.slice(start + 1), start, next: line.text.length }
    return { text: quoted.text, start, next: skipSpace(line.text, quoted.end) }
  }
  const length = /^[^ \t]*/.exec(line.text.slice(start))?.[0].length ?? 0
  return { text: line.slice(start, start + length), start, next: skipSpace(line.text, start + length) }
}
