/**
 * Takes a message as it streams in: the header section is held (bounded), the body goes to the spool piece by piece.
 * Nothing here knows where the bytes come from.
 */
import { type ByteString, toBytes } from '../../base/text.ts'
import { beginsHeader } from '../../mail/header.ts'
import type { IncomingMessage, Spool } from '../../store/spool/api.ts'
import { SpoolError } from '../../store/spool/api.ts'
import type { ScannedPiece } from '../../wire/smtp/data-scanner.ts'
import type { UucpLine } from './uucp.ts'

export interface BodyLimits {
  /** `header_maxsize`; 0: the default of 1 MB. */
  readonly headerBytes: number
  /** `header_line_maxsize`; 0: none. */
  readonly headerLineBytes: number
  /** `message_size_limit`; 0: none. */
  readonly messageBytes: number
}

/** Why a message cannot be taken; the rest of it is read and thrown away. */
export type BodyProblem =
  | { readonly is: 'header-too-long' }
  | { readonly is: 'header-line-too-long' }
  | { readonly is: 'too-many-headers' }
  | { readonly is: 'too-big' }
  | { readonly is: 'spool'; readonly error: SpoolError }

const defaultHeaderBytes = 1_048_576
/**
 * Headers of one message. Each is looked at many times on its way; no mail has a hundredth of them. Differs from Exim,
 * which takes as many as fit into `header_maxsize`.
 */
export const mostHeaders = 10_000

/** Sees the body as it comes, before the spool does. */
export interface BodyTap {
  /** `bare`: offsets just after line ends that stood alone on the wire. */
  body(bytes: Uint8Array, bare: readonly number[]): void
}

export class MessageReceiver {
  readonly #spool: Spool
  readonly #limits: BodyLimits
  /** `From ` of UUCP is expected before the headers. */
  readonly #uucpFrom: UucpLine | undefined
  /** What the UUCP line said: the first parenthesised part. */
  uucpSender: ByteString | undefined
  /** Asked once the header section is complete: who wants to see the body. */
  readonly #onHeader: ((headerText: ByteString) => BodyTap | undefined) | undefined
  #tap: BodyTap | undefined
  #header = ''
  #lineStart = 0
  #searched = 0
  #inHeader = true
  #incoming: IncomingMessage | undefined
  #problem: BodyProblem | undefined
  #column = 0
  #headerCount = 0
  /** Bytes so far with LF line ends, header section and the blank line included. */
  sizeBytes = 0
  bodySize = 0
  bodyLines = 0
  bodyZeros = 0
  maxLineLength = 0

  constructor(
    spool: Spool,
    limits: BodyLimits,
    uucpFrom?: UucpLine,
    onHeader?: (headerText: ByteString) => BodyTap | undefined,
  ) {
    this.#spool = spool
    this.#limits = limits
    this.#uucpFrom = uucpFrom
    this.#onHeader = onHeader
  }

  get headerText(): ByteString {
    return this.#header
  }

  /** The header section is complete. */
  get headerDone(): boolean {
    return !this.#inHeader
  }

  /** In the middle of a line. */
  get inLine(): boolean {
    return this.#inHeader ? this.#lineStart < this.#header.length : this.#column > 0
  }

  get problem(): BodyProblem | undefined {
    return this.#problem
  }

  /** `message_size_limit`. */
  get limit(): number {
    return this.#limits.messageBytes
  }

  /** There once the header section is complete. */
  get incoming(): IncomingMessage | undefined {
    return this.#incoming
  }

  /** Takes a piece; resolves when more may come. */
  add(piece: ScannedPiece): void | Promise<void> {
    if (this.#problem !== undefined) {
      this.sizeBytes += piece.lead.length + piece.bytes.length
      return undefined
    }
    if (!this.#inHeader) {
      if (piece.lead === '') return this.#body(piece.bytes, piece.bare)
      return this.#body(Buffer.concat([toBytes(piece.lead), piece.bytes]), piece.bare)
    }
    return this.#headerPiece(piece.lead + piece.bytes.toString('latin1'), piece.bare)
  }

  /** The end: a last line without line end gets one. */
  async finish(held: '' | '\n'): Promise<void> {
    if (held !== '') await this.add({ lead: held, bytes: empty, bare: [1], done: false, rest: empty })
    if (this.#problem !== undefined) return
    if (this.#inHeader) {
      if (this.#lineStart < this.#header.length) await this.#headerPiece('\n', [])
      if (this.#inHeader && this.#problem === undefined) this.#endHeader(this.#header.length)
    } else if (this.#column > 0) await this.#body(toBytes('\n'))
  }

  async abort(): Promise<void> {
    const incoming = this.#incoming
    this.#incoming = undefined
    await incoming?.abort().catch(() => {})
  }

  /**
   * A lone CR or LF inside the header section does not end a header: white space is put after it, so that
   * what follows belongs to the line before. Source: Exim manual, "Line endings".
   */
  #headerPiece(text: ByteString, bare: readonly number[]): void | Promise<void> {
    let from = 0
    for (const end of bare) {
      const rest = this.#headerText(text.slice(from, end))
      if (rest !== undefined) {
        const start = end - rest.length
        const later = bare.filter((offset) => offset > start).map((offset) => offset - start)
        return this.#body(toBytes(rest + text.slice(end)), later)
      }
      if (this.#problem !== undefined) return undefined
      this.#header += ' '
      this.#lineStart = this.#lineBeforeFold()
      this.#searched = this.#header.length
      from = end
    }
    const rest = this.#headerText(text.slice(from))
    return rest === undefined || rest === '' ? undefined : this.#body(toBytes(rest))
  }

  /** The line that was just ended goes on: it starts where it did. */
  #lineBeforeFold(): number {
    return this.#header.lastIndexOf('\n', this.#header.length - 3) + 1
  }

  /** Adds to the header section; gives what belongs to the body once the section is over. */
  #headerText(text: ByteString): ByteString | undefined {
    this.#header += text
    for (;;) {
      const end = this.#header.indexOf('\n', this.#searched)
      if (end < 0) break
      const line = this.#header.slice(this.#lineStart, end)
      if (this.#lineTooLong(line.length, end)) return undefined
      if (this.#takeUucpLine(line)) continue
      if (line === '') return this.#endHeader(this.#lineStart, end + 1)
      if (!this.#belongsToHeader(line)) return this.#endHeader(this.#lineStart)
      if (this.#tooMany(line)) return undefined
      this.#longest(line.length)
      this.#lineStart = end + 1
      this.#searched = end + 1
    }
    this.#searched = this.#header.length
    this.#lineTooLong(this.#header.length - this.#lineStart, this.#header.length)
    return undefined
  }

  #tooMany(line: ByteString): boolean {
    if (line[0] !== ' ' && line[0] !== '\t' && ++this.#headerCount > mostHeaders) {
      this.#fail({ is: 'too-many-headers' })
    }
    return this.#problem !== undefined
  }

  #belongsToHeader(line: ByteString): boolean {
    if (line[0] === ' ' || line[0] === '\t') return this.#lineStart > 0
    return beginsHeader(line)
  }

  /** A `From ` line of UUCP before the first header: taken off the section. */
  #takeUucpLine(line: ByteString): boolean {
    if (this.#lineStart > 0 || this.#uucpFrom === undefined || this.uucpSender !== undefined) return false
    const sender = this.#uucpFrom(line)
    if (sender === undefined) return false
    this.uucpSender = sender
    this.#header = this.#header.slice(line.length + 1)
    this.#searched = 0
    return true
  }

  #lineTooLong(length: number, sectionLength: number): boolean {
    const { headerBytes, headerLineBytes } = this.#limits
    if (headerLineBytes > 0 && length > headerLineBytes) this.#fail({ is: 'header-line-too-long' })
    else if (sectionLength > (headerBytes > 0 ? headerBytes : defaultHeaderBytes)) {
      this.#fail({ is: 'header-too-long' })
    }
    return this.#problem !== undefined
  }

  #fail(problem: BodyProblem): void {
    this.#problem = problem
    this.sizeBytes += this.#header.length
  }

  #endHeader(headerEnd: number, bodyStart: number = headerEnd): ByteString {
    const rest = this.#header.slice(bodyStart)
    // A NUL has no place in a header, and would end it for many who read it: RFC 5322 section 4.
    this.#header = this.#header.slice(0, headerEnd).replaceAll('\0', '?')
    this.#inHeader = false
    this.sizeBytes = bodyStart
    if (this.#limits.messageBytes > 0 && bodyStart > this.#limits.messageBytes)
      this.#problem = { is: 'too-big' }
    this.#incoming = this.#spool.begin()
    this.#tap = this.#onHeader?.(this.#header)
    return rest
  }

  #body(bytes: Buffer, bare: readonly number[] = noOffsets): void | Promise<void> {
    if (bytes.length === 0 || this.#problem !== undefined) return undefined
    this.bodySize += bytes.length
    this.sizeBytes += bytes.length
    this.#count(bytes)
    const limit = this.#limits.messageBytes
    if (limit > 0 && this.sizeBytes > limit) {
      this.#problem = { is: 'too-big' }
      return undefined
    }
    this.#tap?.body(bytes, bare)
    try {
      const wait = this.#incoming?.write(bytes)
      return wait?.catch((error: unknown) => this.#refused(error))
    } catch (error) {
      return this.#refused(error)
    }
  }

  #refused(error: unknown): void {
    if (!(error instanceof SpoolError)) throw error
    this.#problem = { is: 'spool', error }
  }

  #count(bytes: Buffer): void {
    let from = 0
    for (;;) {
      const end = bytes.indexOf(10, from)
      if (end < 0) break
      this.#longest(this.#column + end - from)
      this.#column = 0
      this.bodyLines++
      from = end + 1
    }
    this.#column += bytes.length - from
    this.#longest(this.#column)
    for (let zero = bytes.indexOf(0); zero >= 0; zero = bytes.indexOf(0, zero + 1)) this.bodyZeros++
  }

  #longest(length: number): void {
    if (length > this.maxLineLength) this.maxLineLength = length
  }
}

const empty = Buffer.alloc(0)
const noOffsets: readonly number[] = []
