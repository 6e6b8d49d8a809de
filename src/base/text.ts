/**
 * Strings as Exim sees them: one JavaScript character a byte (0 to 255), trusted or tainted.
 *
 * A trusted text is a plain JavaScript string: the configuration's own words, and what a lookup's key
 * or a `*_data` variable gives back. Anything that a stranger can influence is a `Tainted`: it knows
 * which stretches came from outside, from where, and which quoter they went through.
 * Source: Exim manual, "Tainted data".
 */

/** Bytes as characters U+0000 to U+00FF; never a string for people. */
export type ByteString = string

/** A text in the configuration language: trusted, or tainted in places. */
export type Text = ByteString | Tainted

/** A stretch of a text that came from outside. `start` and `end` are byte offsets, end exclusive. */
export interface TaintSpan {
  readonly start: number
  readonly end: number
  /** Where it came from, as the user writes it: `$local_part`, `lookup lsearch`, `${readsocket`. */
  readonly origin: string
  /** The lookup type whose quoting it went through (`mysql`, `redis`, ...), else undefined. */
  readonly quoter?: string | undefined
}

/** A text with at least one tainted stretch. Spans are sorted and do not overlap. */
export class Tainted {
  readonly text: ByteString
  readonly spans: readonly TaintSpan[]
  constructor(text: ByteString, spans: readonly TaintSpan[]) {
    this.text = text
    this.spans = spans
  }
  /** For debugging only; code asks `textOf`. */
  toString(): string {
    return this.text
  }
}

/** Marks a whole text as coming from outside. An empty text carries nothing, so it stays trusted. */
export function taint(text: ByteString, origin: string, quoter?: string): Text {
  return text === '' ? text : new Tainted(text, [{ start: 0, end: text.length, origin, quoter }])
}

/** The bytes of a text, without its taint. */
export function textOf(text: Text): ByteString {
  return typeof text === 'string' ? text : text.text
}

export function isTainted(text: Text): text is Tainted {
  return typeof text !== 'string'
}

/** A text computed from another as a whole (`${lc:...}`): tainted throughout when the other was. */
export function retaint(result: ByteString, from: Text, quoter?: string): Text {
  if (typeof from === 'string') return result
  return taint(result, from.spans[0]?.origin ?? '', quoter)
}

/** Joins texts, keeping the taint of each stretch. */
export function concat(parts: readonly Text[]): Text {
  let text = ''
  let spans: TaintSpan[] | undefined
  for (const part of parts) {
    if (typeof part === 'string') {
      text += part
      continue
    }
    spans ??= []
    for (const span of part.spans) {
      spans.push({ ...span, start: span.start + text.length, end: span.end + text.length })
    }
    text += part.text
  }
  return spans === undefined ? text : new Tainted(text, spans)
}

/** The bytes from `start` to `end`, with the taint that lies on them. */
export function slice(text: Text, start: number, end: number = textOf(text).length): Text {
  if (typeof text === 'string') return text.slice(start, end)
  const piece = text.text.slice(start, end)
  const spans: TaintSpan[] = []
  for (const span of text.spans) {
    const from = Math.max(span.start, start)
    const to = Math.min(span.end, end)
    if (from < to) spans.push({ ...span, start: from - start, end: to - start })
  }
  return spans.length === 0 ? piece : new Tainted(piece, spans)
}

/** The first tainted stretch that did not go through `quoter`; undefined when the text may be used as it is. */
export function unquotedTaint(text: Text, quoter?: string): TaintSpan | undefined {
  if (typeof text === 'string') return undefined
  return text.spans.find((span) => quoter === undefined || span.quoter !== quoter)
}

/** Bytes of a Buffer as a ByteString. */
export function fromBytes(bytes: Uint8Array): ByteString {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

/** A ByteString as bytes. */
export function toBytes(text: ByteString): Buffer {
  return Buffer.from(text, 'latin1')
}

/** Text for people (UTF-16) as the UTF-8 bytes the language works on. */
export function encodeUtf8(text: string): ByteString {
  return Buffer.from(text, 'utf8').toString('latin1')
}

/** UTF-8 bytes as text for people. */
export function decodeUtf8(text: ByteString): string {
  return Buffer.from(text, 'latin1').toString('utf8')
}

/** Lower case of ASCII letters only: addresses are bytes, and those of UTF-8 are no letters of Latin-1. */
export function asciiLower(text: ByteString): ByteString {
  return /[A-Z]/.test(text) ? text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) : text
}
