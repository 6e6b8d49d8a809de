/** Logical lines of an ACL that stands in a file or in a text. */
import type { TextOrigin } from '../../base/diagnostic.ts'
import { Expandable } from '../../base/expandable.ts'

/** Lines of a text: continued ones joined, empty ones and comments left out. */
export function inlineLines(text: string): Expandable[] {
  return joinLines(text).map(({ text: line }) => new Expandable(line))
}

export function fileLines(path: string, text: string): Expandable[] {
  return joinLines(text).map(({ text: line, number }) => new Expandable(line, originIn(path, number, line)))
}

function joinLines(text: string): { readonly text: string; readonly number: number }[] {
  const lines: { readonly text: string; readonly number: number }[] = []
  let open: string | undefined
  let start = 0
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.replace(/\s+$/, '')
    const trimmed = line.trimStart()
    if (trimmed.startsWith('#') || (open === undefined && trimmed === '')) continue
    if (open === undefined) start = index + 1
    // White space at the start of a continued line is dropped: Exim manual, "File format".
    const whole: string = (open ?? '') + (open === undefined ? line : trimmed)
    if (whole.endsWith('\\')) open = whole.slice(0, -1)
    else {
      lines.push({ text: whole, number: start })
      open = undefined
    }
  }
  if (open !== undefined) lines.push({ text: open, number: start })
  return lines
}

function originIn(file: string, line: number, lineText: string): TextOrigin {
  return {
    locate: (start, end) => ({
      file,
      line,
      column: start + 1,
      length: Math.max(1, end - start),
      lineText,
      through: [],
    }),
  }
}
