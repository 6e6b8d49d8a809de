/** YAML text as values that know their place; the one file that knows the package `yaml`. */
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  stringify,
  type Document,
} from 'yaml'
import type { Entry, Place, Problem, Value } from './value.ts'

/** Deeper than any test needs. */
const deepest = 40

/** The documents of a file, or what is wrong with the text. */
export function parseYaml(file: string, text: string): readonly Value[] | readonly Problem[] {
  const lines = new LineCounter()
  const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true })
  const documents = Array.isArray(parsed) ? parsed : []
  const problems = documents.flatMap(({ errors }) =>
    errors.map(({ pos, message }): Problem => ({ file, ...placeOf(lines, pos[0]), message })),
  )
  if (problems.length > 0) return problems
  return documents.map((document) => new Reader(lines, document).value(document.contents, 0))
}

export function printYaml(value: unknown): string {
  return stringify(value, { lineWidth: 110, blockQuote: 'literal' })
}

function placeOf(lines: LineCounter, offset: number): Place {
  const { line, col } = lines.linePos(offset)
  return { line: Math.max(line, 1), column: Math.max(col, 1) }
}

class Reader {
  readonly #lines: LineCounter
  readonly #document: Document

  constructor(lines: LineCounter, document: Document) {
    this.#lines = lines
    this.#document = document
  }

  value(node: unknown, depth: number): Value {
    const at = this.#at(node)
    if (depth > deepest) return { is: 'nothing', at }
    if (isAlias(node)) return this.value(node.resolve(this.#document), depth + 1)
    if (isMap(node)) return { is: 'map', entries: this.#entries(node.items, depth), at }
    if (isSeq(node)) return { is: 'list', items: node.items.map((item) => this.value(item, depth + 1)), at }
    if (!isScalar(node) || node.value === null) return { is: 'nothing', at }
    // Numbers and the like as they are written: 5.10 is not 5.1.
    const text = typeof node.value === 'string' ? node.value : (node.source ?? JSON.stringify(node.value))
    return { is: 'text', text, at }
  }

  /** `<<` puts the entries of another map in the place where they are not given. */
  #entries(items: readonly { readonly key: unknown; readonly value: unknown }[], depth: number): Entry[] {
    const entries: Entry[] = []
    const merged: Entry[] = []
    for (const { key, value } of items) {
      const named = this.value(key, depth + 1)
      const name = named.is === 'text' ? named.text : ''
      const read = this.value(value, depth + 1)
      if (name !== '<<') entries.push({ key: name, keyAt: named.at, value: read })
      else
        for (const one of read.is === 'list' ? read.items : [read])
          if (one.is === 'map') merged.push(...one.entries)
    }
    return [...entries, ...merged.filter(({ key }) => !entries.some((one) => one.key === key))]
  }

  #at(node: unknown): Place {
    const range =
      typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range)
        ? node.range
        : []
    const [start] = range
    return placeOf(this.#lines, typeof start === 'number' ? start : 0)
  }
}
