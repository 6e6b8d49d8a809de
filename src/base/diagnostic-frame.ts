/**
 * A diagnostic as text for people, in two parts: one line that scripts can match, then the source line with
 * what is meant underlined, the macro it came through, what belongs to it, and how to mend it.
 */
import { decodeUtf8 } from './text.ts'
import { type Diagnostic, type Location, locate } from './diagnostic.ts'

/** A source line longer than this is shown in part. */
const maxShown = 160

/** The whole text, without a line end at its end. */
export function renderDiagnostic(diagnostic: Diagnostic): string {
  const { at, severity, message, code, help, also } = diagnostic
  const place = at && locate(at)
  const head = `${severity}: ${decodeUtf8(message)} [${code}]`
  if (place === undefined) return help === undefined ? head : `${head}\n  help: ${decodeUtf8(help)}`
  const notes = [...macroPlaces(place), ...(also ?? []).map((part) => note(locate(part.at), part.says))]
  const numbers = [place, ...notes.map((n) => n.place)].map((p) => String(p.line).length)
  const width = Math.max(...numbers)
  const gutter = `${' '.repeat(width)} |`
  const lines = [`${placeName(place)}: ${head}`, ...frame(place, width)]
  for (const { place: other, says } of notes) {
    lines.push(`${' '.repeat(width)} = ${decodeUtf8(says)} at ${placeName(other)}`, ...frame(other, width))
  }
  if (help !== undefined) lines.push(gutter, `${' '.repeat(width)} = help: ${decodeUtf8(help)}`)
  return lines.join('\n')
}

/** `file:line:column`. */
export function placeName(place: Location): string {
  return `${decodeUtf8(place.file)}:${place.line}:${place.column}`
}

interface Note {
  readonly place: Location
  readonly says: string
}

function note(place: Location, says: string): Note {
  return { place, says }
}

/** Where each macro stands that the place came through. The outermost use is the place itself. */
function macroPlaces(place: Location): Note[] {
  const notes: Note[] = []
  place.through.forEach(({ name, usedAt, definedAt }, index) => {
    const outermost = index === place.through.length - 1
    if (!outermost) notes.push(note(usedAt, `macro ${name} used`))
    if (definedAt !== undefined) notes.push(note(definedAt, `macro ${name} defined`))
  })
  return notes
}

/** The source line and the underline beneath it. */
function frame(place: Location, width: number): string[] {
  if (place.lineText === '') return []
  // Columns count bytes; people see characters, so what stands before the place is measured as they see it.
  const from = Math.max(0, place.column - 1 - maxShown / 2)
  const shown = place.lineText.slice(from, from + maxShown)
  const cut = { before: from > 0 ? '...' : '', after: from + maxShown < place.lineText.length ? '...' : '' }
  const before = printable(shown.slice(0, place.column - 1 - from))
  const marked = printable(shown.slice(place.column - 1 - from, place.column - 1 - from + place.length))
  const indent = ' '.repeat(cut.before.length + Array.from(before).length)
  return [
    `${' '.repeat(width)} |`,
    `${String(place.line).padStart(width)} | ${cut.before}${printable(shown)}${cut.after}`,
    `${' '.repeat(width)} | ${indent}${'^'.repeat(Math.max(1, Array.from(marked).length))}`,
  ]
}

/** No control character reaches the terminal; a tab becomes one space, so that the underline fits. */
function printable(bytes: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what this removes
  return decodeUtf8(bytes)
    .replace(/\t/g, ' ')
    .replace(/[\u0000-\u001f\u007f-\u009f]/g, '?')
}
