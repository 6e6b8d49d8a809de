/**
 * Text that has come through continuation lines, macros and escapes, and still knows where each byte stands.
 * The knowledge is kept as a short list of stretches, not byte by byte.
 */
import type { Location, MacroUse, Span, TextOrigin } from '../../base/diagnostic.ts'
import type { ByteString } from '../../base/text.ts'
import type { SourceFile } from './source.ts'

/** A byte of a file. */
interface FilePlace {
  readonly source: SourceFile
  readonly offset: number
}

/** A byte of a macro's text, and the place where the macro was used. */
interface MacroPlace {
  readonly macro: MacroText
  readonly offset: number
  readonly use: Place
  readonly useLength: number
}

type Place = FilePlace | MacroPlace

/** From byte `at` on, the text runs on from `place`, up to the next stretch. */
export interface Stretch {
  readonly at: number
  readonly place: Place
}

/** What a macro stands for: its name, its text, and where that is written (undefined: not in a file). */
export interface MacroText {
  readonly name: string
  readonly text: ByteString
  readonly definition: MappedText | undefined
}

export class MappedText implements TextOrigin {
  readonly text: ByteString
  readonly #stretches: readonly Stretch[]
  /** Where this text begins in the numbering of the stretches. */
  readonly #base: number
  constructor(text: ByteString, stretches: readonly Stretch[], base: number = 0) {
    this.text = text
    this.#stretches = stretches
    this.#base = base
  }

  /** A stretch of a file as it stands. */
  static ofFile(source: SourceFile, start: number, end: number): MappedText {
    return new MappedText(source.text.slice(start, end), [{ at: 0, place: { source, offset: start } }])
  }

  slice(start: number, end: number = this.text.length): MappedText {
    return new MappedText(this.text.slice(start, end), this.#stretches, this.#base + start)
  }

  trim(): MappedText {
    const start = skipSpace(this.text, 0)
    let end = this.text.length
    while (end > start && isSpace(this.text.charCodeAt(end - 1))) end--
    return this.slice(start, end)
  }

  span(start: number = 0, end: number = this.text.length): Span {
    return { origin: this, start, end }
  }

  /** The place of one byte. */
  placeAt(index: number): Place {
    const at = this.#base + index
    const found = this.#stretches[this.#indexAt(at)]
    if (found === undefined) throw new RangeError('a mapped text without stretches')
    return moved(found.place, at - found.at)
  }

  /** The stretches that cover `[start, end)`, numbered from `start` as 0. */
  stretchesOf(start: number, end: number): Stretch[] {
    const from = this.#base + start
    const to = this.#base + end
    const first = this.#indexAt(from)
    const result = [{ at: 0, place: this.placeAt(start) }]
    for (let i = first + 1; i < this.#stretches.length; i++) {
      const stretch = this.#stretches[i]
      if (stretch === undefined || stretch.at >= to) break
      result.push({ at: stretch.at - from, place: stretch.place })
    }
    return result
  }

  locate(start: number, end: number): Location {
    const place = this.placeAt(start)
    const from = outermost(place)
    const to = outermost(end > start ? this.placeAt(end - 1) : place)
    const sameLine =
      to.source === from.source && to.source.lineAt(to.offset) === from.source.lineAt(from.offset)
    const length = sameLine ? to.offset + to.length - from.offset : Number.MAX_SAFE_INTEGER
    return from.source.location(from.offset, length, usesOf(place, end - start))
  }

  #indexAt(at: number): number {
    let low = 0
    let high = this.#stretches.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((this.#stretches[middle]?.at ?? 0) <= at) low = middle
      else high = middle - 1
    }
    return low
  }
}

/** ASCII white space only: in UTF-8 text a byte A0 is part of a letter, and JavaScript's own trim would cut it. */
export function isSpace(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13)
}

/** The first offset from `at` on that is no white space. */
export function skipSpace(text: ByteString, at: number): number {
  let next = at
  while (next < text.length && isSpace(text.charCodeAt(next))) next++
  return next
}

function moved(place: Place, by: number): Place {
  if (by === 0) return place
  return { ...place, offset: place.offset + by }
}

/** The bytes of the file that stand for a place: itself, or the name of the macro that brought it. */
function outermost(place: Place): { source: SourceFile; offset: number; length: number } {
  let at = place
  let length = 1
  while ('macro' in at) {
    length = at.useLength
    at = at.use
  }
  return { source: at.source, offset: at.offset, length }
}

/** The macros that a place came through, innermost first. */
function usesOf(place: Place, length: number): MacroUse[] {
  const uses: MacroUse[] = []
  for (let at = place; 'macro' in at; at = at.use) {
    const { definition, name } = at.macro
    const start = Math.min(at.offset, definition?.text.length ?? 0)
    uses.push({
      name,
      usedAt: placeLocation(at.use, at.useLength),
      definedAt: definition?.locate(start, Math.min(start + length, definition.text.length)),
    })
  }
  return uses
}

function placeLocation(place: Place, length: number): Location {
  if ('source' in place) return place.source.location(place.offset, length, [])
  const { definition } = place.macro
  if (definition !== undefined) return definition.locate(place.offset, place.offset + length)
  return placeLocation(place.use, place.useLength)
}

/** Puts a text together from pieces of others. */
export class MappedBuilder {
  #text = ''
  readonly #stretches: Stretch[] = []

  get length(): number {
    return this.#text.length
  }

  append(piece: MappedText): void {
    this.#place(piece.stretchesOf(0, piece.text.length))
    this.#text += piece.text
  }

  /** Bytes that stand for those of `piece`, such as the character of an escape. */
  appendFor(text: ByteString, piece: MappedText): void {
    this.#place([{ at: 0, place: piece.placeAt(0) }])
    this.#text += text
  }

  /** The text of a macro in the place of its name. */
  appendMacro(macro: MacroText, name: MappedText): void {
    const place = { macro, offset: 0, use: name.placeAt(0), useLength: name.text.length }
    this.#place([{ at: 0, place }])
    this.#text += macro.text
  }

  build(): MappedText {
    return new MappedText(this.#text, this.#stretches)
  }

  #place(stretches: readonly Stretch[]): void {
    for (const stretch of stretches) {
      const at = stretch.at + this.#text.length
      // An empty piece leaves its place to what follows; kept only while nothing else tells where we are.
      if (this.#stretches.at(-1)?.at === at) this.#stretches.pop()
      this.#stretches.push({ at, place: stretch.place })
    }
  }
}
