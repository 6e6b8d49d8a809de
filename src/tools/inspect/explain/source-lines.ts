/** The lines of a configuration around a statement, without what is nobody's business. */

export interface SourceLine {
  readonly number: number
  readonly text: string
  readonly decides: boolean
}

const before = 2
const after = 8
const longest = 300

/** A value that `hide` or its name declares secret, and credentials in a query. */
const secretLine = /^(\s*(?:hide\s+\S+|[\w.]*(?:pass(?:word)?|secret)\w*)\s*=\s*)\S.*$/i
const secretPart = /\b(pass(?:word)?|servers|secret)(\s*=\s*)("[^"]*"|[^\s{}"]+)/gi

/** @param line of the statement; what belongs to it follows, up to the next one */
export function linesAround(lines: readonly string[], line: number): SourceLine[] {
  if (line < 1 || line > lines.length) return []
  let first = line
  while (first > 1 && line - first < before && !/^\s*(?:begin\b|$)/.test(lines[first - 2] ?? '')) first--
  let last = line
  while (last < lines.length && last - line < after && belongsTo(lines[last] ?? '')) last++
  // Comments before the next statement are its own.
  while (last > line && /^\s*#/.test(lines[last - 1] ?? '')) last--
  const hidden = hiddenLines(lines)
  return lines.slice(first - 1, last).map((text, i) => ({
    number: first + i,
    text: hidden.has(first + i) ? '****' : hide(cut(text)),
    decides: first + i >= line,
  }))
}

/** Conditions of the same statement, comments between them and continuations. */
function belongsTo(text: string): boolean {
  return !/^\s*(?:accept|defer|deny|discard|drop|require|warn)\b|^\s*begin\s|^\s*\w+\s*:\s*(?:#.*)?$|^\s*$/.test(
    text,
  )
}

/** Lines that go on a hidden setting. */
function hiddenLines(lines: readonly string[]): Set<number> {
  const hidden = new Set<number>()
  let within = false
  for (const [i, text] of lines.entries()) {
    const goesOn = (lines[i - 1] ?? '').trimEnd().endsWith('\\')
    within = goesOn ? within : secretLine.test(text)
    if (within && goesOn) hidden.add(i + 1)
  }
  return hidden
}

function cut(text: string): string {
  return text.length > longest ? `${text.slice(0, longest)}...` : text
}

function hide(text: string): string {
  return text.replace(secretLine, '$1****').replace(secretPart, '$1$2****')
}
