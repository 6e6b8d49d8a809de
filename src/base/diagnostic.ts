/** Mistakes in a configuration: where they are, what is wrong, how to mend it, and the frame with the caret. */
import type { ByteString } from './text.ts'

/** A place in a file. Line and column count from 1; the column counts bytes. */
export interface Location {
  readonly file: string
  readonly line: number
  readonly column: number
  /** Bytes to underline, at least 1, never past the end of the line. */
  readonly length: number
  /** The whole physical line, without its line end. */
  readonly lineText: ByteString
  /** Macro uses that produced this place, innermost first. */
  readonly through: readonly MacroUse[]
}

/** A macro that stood where the text is: where it was used and where it was defined. */
export interface MacroUse {
  readonly name: string
  readonly usedAt: Location
  readonly definedAt: Location | undefined
}

/** Knows for each byte of a piece of configuration text where it stands in the files. */
export interface TextOrigin {
  locate(start: number, end: number): Location
}

/** A stretch of a text whose origin is known. */
export interface Span {
  readonly origin: TextOrigin
  readonly start: number
  readonly end: number
}

export type Severity = 'error' | 'warning'

export interface Diagnostic {
  /** Stable, in kebab case: `option-unknown`. */
  readonly code: string
  readonly severity: Severity
  /** Begins with Exim's own sentence where Exim has one. */
  readonly message: string
  readonly at: Span | undefined
  /** How to mend it. */
  readonly help?: string | undefined
  /** Other places that belong to it: the open brace, the first definition. */
  readonly also?: readonly { readonly at: Span; readonly says: string }[]
  /** True for what stops start and `-bV`; false for what only `check` counts as an error. */
  readonly fatal?: boolean
}

/** Takes a finding; reading goes on after it, so that one run tells all. */
export type Report = (diagnostic: Diagnostic) => void

/** Text that the program itself brings (a built-in default): it has no file. */
export const builtin: TextOrigin = {
  locate(start, end) {
    return {
      file: '(built in)',
      line: 1,
      column: start + 1,
      length: Math.max(1, end - start),
      lineText: '',
      through: [],
    }
  },
}

export function locate(span: Span): Location {
  return span.origin.locate(span.start, span.end)
}

/**
 * The name nearest to a wrong one, for "did you mean"; undefined when none is near.
 * Distance is Damerau-Levenshtein, at most a third of the longer name; else the words count: the same in another
 * order (`headers_add`, `add_header`), or the first ones of a longer name (`transport_home`).
 */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  const names = [...candidates]
  return nearestSpelling(name, names) ?? nearestWords(name, names)
}

function nearestSpelling(name: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined
  let bestDistance = Number.POSITIVE_INFINITY
  for (const candidate of candidates) {
    const limit = Math.max(1, Math.floor(Math.max(name.length, candidate.length) / 3))
    if (Math.abs(candidate.length - name.length) > limit) continue
    const distance = editDistance(name, candidate)
    if (distance <= limit && distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

function nearestWords(name: string, candidates: readonly string[]): string | undefined {
  if (!name.includes('_')) return undefined
  const words = wordsOf(name)
  const same = candidates.find((candidate) => wordsOf(candidate) === words)
  if (same !== undefined) return same
  const longer = candidates.filter((candidate) => candidate.startsWith(`${name}_`))
  return longer.length === 1 ? longer[0] : undefined
}

/** The words of a name, without their plurals, in one order. */
function wordsOf(name: string): string {
  return name
    .split('_')
    .map((word) => word.replace(/s$/, ''))
    .sort()
    .join('_')
}

/** Damerau-Levenshtein: letters that are more, fewer, others, or swapped with the next one. */
export function editDistance(a: string, b: string): number {
  let before: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      let least = Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + same)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, (before[j - 2] ?? 0) + 1)
      }
      row.push(least)
    }
    before = previous
    previous = row
  }
  return previous[b.length] ?? 0
}
