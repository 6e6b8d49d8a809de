/** Findings in the order of the files, each once, and their form for editors and CI. */
import { type Diagnostic, type Location, locate } from '../../base/diagnostic.ts'
import { decodeUtf8 } from '../../base/text.ts'

/** By file (in the order in which they were read), line, column; the same finding at the same place once. */
export function inOrder(found: readonly Diagnostic[], files: readonly string[]): Diagnostic[] {
  const placed = found.map((diagnostic) => ({ diagnostic, place: diagnostic.at && locate(diagnostic.at) }))
  const rank = (place: Location | undefined): number => (place === undefined ? -1 : files.indexOf(place.file))
  placed.sort(
    (a, b) =>
      rank(a.place) - rank(b.place) ||
      (a.place?.line ?? 0) - (b.place?.line ?? 0) ||
      (a.place?.column ?? 0) - (b.place?.column ?? 0),
  )
  const seen = new Set<string>()
  return placed.flatMap(({ diagnostic, place }) => {
    const key = `${diagnostic.code} ${diagnostic.message} ${place?.file}:${place?.line}:${place?.column}`
    if (seen.has(key)) return []
    seen.add(key)
    return [diagnostic]
  })
}

export interface JsonPlace {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly length: number
}

export interface JsonFinding {
  readonly code: string
  readonly severity: string
  readonly message: string
  readonly help: string | undefined
  readonly at: JsonPlace | undefined
  readonly also: readonly (JsonPlace & { readonly says: string })[]
  /** Macros through which the text came, innermost first. */
  readonly macros: readonly string[]
}

/** Lines and columns count from 1, columns and lengths count bytes. */
export function jsonFinding({ code, severity, message, help, at, also }: Diagnostic): JsonFinding {
  const place = at && locate(at)
  return {
    code,
    severity,
    message: decodeUtf8(message),
    help: help === undefined ? undefined : decodeUtf8(help),
    at: place && jsonPlace(place),
    also: (also ?? []).map((other) => ({ ...jsonPlace(locate(other.at)), says: other.says })),
    macros: (place?.through ?? []).map(({ name }) => name),
  }
}

function jsonPlace({ file, line, column, length }: Location): JsonPlace {
  return { file: decodeUtf8(file), line, column, length }
}
