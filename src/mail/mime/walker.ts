/**
 * Finds the parts of a MIME message while its bytes stream by: iterative, bounded in depth, number and size; keeps places
 * and headers, never bodies. Nothing that a reader of the mail may take for a part is passed over: a line that begins with
 * the boundary of any open multipart ends what is within it, in headers too. Source: RFC 2046 section 5.1.
 */
import { type ByteString, fromBytes } from '../../base/text.ts'
import { type MimeFields, mimeHeaderNames, readMimeFields } from './fields.ts'

export interface MimeLimits {
  /** Multiparts within each other. */
  readonly depth: number
  readonly parts: number
  /** Bytes of one Content-...: header, and of a line that may be one. */
  readonly headerBytes: number
}

export const mimeLimits: MimeLimits = { depth: 100, parts: 10_000, headerBytes: 65_536 }

/** Bytes of the Content-...: headers of one part. */
const sectionBytes = 262_144
/** A longer boundary fits on no line: RFC 5322 section 2.1.1. */
const longestBoundary = 998

export interface MimePart {
  readonly fields: MimeFields
  /** Place of the body. */
  readonly start: number
  end: number
  readonly isCoverletter: boolean
  /** A message within: type message/rfc822, or what stands in a multipart/digest without a type of its own. */
  readonly isMessage: boolean
}

/** Why a message is not taken apart further; it must not be taken for harmless. */
export type MimeProblem =
  | 'too many MIME parts'
  | 'MIME parts nested too deep'
  | 'MIME header too long'
  | 'MIME boundary too long'

interface Container {
  readonly part: MimePart
  readonly boundaries: readonly ByteString[]
  children: number
  closed: boolean
}

export class MimeWalker {
  readonly parts: MimePart[] = []
  problem: MimeProblem | undefined
  readonly #limits: MimeLimits
  /** Of the next byte to come. */
  #offset: number
  #lineStart: number
  /** What is known of the line that began in an earlier piece. */
  #held = ''
  #inHeader = true
  #headers: [string, ByteString][] = []
  #sectionSize = 0
  /** The last header is one that is kept, so that a folded line belongs to it. */
  #keeps = false
  readonly #stack: Container[] = []
  /** The part whose headers are read belongs to this multipart. */
  #parent: Container | undefined
  #leaf: MimePart | undefined

  /** @param start place of the first byte, for what stands within something larger */
  constructor(start: number = 0, limits: MimeLimits = mimeLimits) {
    this.#limits = limits
    this.#offset = start
    this.#lineStart = start
  }

  /** Takes the next piece; a piece of 4 KB is gone through in a few milliseconds. */
  push(piece: Uint8Array): void {
    let from = 0
    while (from < piece.length && this.problem === undefined) {
      const newline = piece.indexOf(10, from)
      const end = newline < 0 ? piece.length : newline
      const most = this.#most()
      if (this.#wants(piece, from) && this.#held.length < most) {
        this.#held += fromBytes(piece.subarray(from, Math.min(end, from + most - this.#held.length)))
      } else if (this.#inHeader && end > from && this.#keeps) {
        this.problem = 'MIME header too long'
      }
      if (newline < 0) break
      this.#line(this.#offset + newline + 1)
      from = newline + 1
    }
    this.#offset += piece.length
  }

  /** The end of the message: what is open ends with it. */
  finish(): void {
    if (this.problem !== undefined) return
    if (this.#held !== '' || this.#lineStart < this.#offset) this.#line(this.#offset)
    if (this.#inHeader && this.problem === undefined) this.#endHeader(this.#offset)
    if (this.#leaf !== undefined) this.#leaf.end = this.#offset
    for (const { part } of this.#stack) part.end = this.#offset
  }

  /** How much of a line must be seen. */
  #most(): number {
    return this.#inHeader ? this.#limits.headerBytes : longestBoundary + 8
  }

  /** In a body only lines that begin with a hyphen can matter, and only where a multipart is open. */
  #wants(piece: Uint8Array, from: number): boolean {
    if (this.#inHeader || this.#held !== '') return true
    return this.#stack.length > 0 && this.#offset + from === this.#lineStart && piece[from] === 45
  }

  #line(next: number): void {
    const held = this.#held
    this.#held = ''
    const line = held.endsWith('\r') ? held.slice(0, -1) : held
    const found = line.startsWith('--') ? this.#boundary(line) : undefined
    if (found !== undefined) this.#atBoundary(found.index, found.closes)
    else if (this.#inHeader) this.#headerLine(line, next)
    this.#lineStart = next
  }

  /** The longest boundary with which the line begins; of equal ones the innermost. */
  #boundary(line: ByteString): { readonly index: number; readonly closes: boolean } | undefined {
    let index = -1
    let length = 0
    for (let i = this.#stack.length - 1; i >= 0; i--) {
      const container = this.#stack[i]
      if (container === undefined || container.closed) continue
      for (const boundary of container.boundaries) {
        if (boundary.length > length && line.startsWith(boundary, 2)) {
          index = i
          length = boundary.length
        }
      }
    }
    if (index < 0) return undefined
    return { index, closes: /^--[ \t]*$/.test(line.slice(2 + length)) }
  }

  #atBoundary(index: number, closes: boolean): void {
    if (this.#inHeader) this.#endHeader(this.#lineStart)
    if (this.problem !== undefined) return
    if (this.#leaf !== undefined) this.#leaf.end = this.#lineStart
    this.#leaf = undefined
    // The part whose headers ended just now may be a multipart itself.
    for (const { part } of this.#stack.splice(index + 1)) part.end = this.#lineStart
    const container = this.#stack[index]
    if (container === undefined) return
    if (closes) {
      container.closed = true
      return
    }
    this.#parent = container
    this.#inHeader = true
  }

  #headerLine(line: ByteString, next: number): void {
    if (line === '') return this.#endHeader(next)
    if (line[0] === ' ' || line[0] === '\t') {
      const header = this.#headers.at(-1)
      if (!this.#keeps || header === undefined) return
      header[1] += line
      this.#count(line.length)
      if (header[1].length > this.#limits.headerBytes) this.problem = 'MIME header too long'
      return
    }
    const colon = line.indexOf(':')
    // A line that is no header is passed over, and the section goes on.
    const name = line.slice(0, Math.max(0, colon)).trimEnd().toLowerCase()
    this.#keeps = mimeHeaderNames.has(name)
    if (!this.#keeps) return
    if (line.length >= this.#limits.headerBytes) this.problem = 'MIME header too long'
    this.#headers.push([name, line.slice(colon + 1)])
    this.#count(line.length)
  }

  #count(bytes: number): void {
    this.#sectionSize += bytes
    if (this.#sectionSize > sectionBytes) this.problem = 'MIME header too long'
  }

  #endHeader(start: number): void {
    const fields = readMimeFields(this.#headers)
    const parent = this.#parent
    const isDigest = parent?.part.fields.type === 'multipart/digest'
    const part: MimePart = {
      fields,
      start,
      end: start,
      isCoverletter: parent === undefined || isCover(parent),
      isMessage: messageTypes.has(fields.type) || (isDigest && fields.type === ''),
    }
    if (parent !== undefined) parent.children++
    this.#inHeader = false
    this.#headers = []
    this.#sectionSize = 0
    this.#keeps = false
    this.parts.push(part)
    this.#leaf = part
    if (this.parts.length > this.#limits.parts) this.problem = 'too many MIME parts'
    else if (fields.isMultipart && fields.boundaries.length > 0) this.#open(part)
  }

  #open(part: MimePart): void {
    const { boundaries } = part.fields
    if (boundaries.some((each) => each.length > longestBoundary)) this.problem = 'MIME boundary too long'
    if (this.#stack.length >= this.#limits.depth) this.problem = 'MIME parts nested too deep'
    this.#leaf = undefined
    this.#stack.push({ part, boundaries: boundaries.slice(0, mostBoundaries), children: 0, closed: false })
  }
}

/** A part with more of them is nobody's mail; the first ones and the last are what readers go by. */
const mostBoundaries = 8

const messageTypes: ReadonlySet<string> = new Set(['message/rfc822', 'message/global', 'message/news'])

/** Source: Exim manual, `$mime_is_coverletter`. */
function isCover({ part, children }: Container): boolean {
  if (!part.isCoverletter) return false
  return children === 0 || /^multipart\/(?:alternative|related)$/.test(part.fields.type)
}
