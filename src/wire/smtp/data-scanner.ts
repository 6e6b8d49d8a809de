/**
 * Message bytes as SMTP carries them, to bytes with LF line ends: dot-stuffing undone, the end of data found.
 *
 * Over TCP only CRLF, dot, CRLF ends the data. A CR or LF that stands alone becomes a line end like any other (so
 * it is never passed on as it came), but never starts a line for the dot: what follows it can neither end the data
 * nor lose a dot. Local programs may use LF alone for everything (`lenient`).
 * Source: RFC 5321 sections 2.3.8, 4.1.1.4 and 4.5.2; Exim manual, "Line endings".
 */
import type { ByteString } from '../../base/text.ts'

const LF = 10
const CR = 13
const DOT = 46

export interface ScannedPiece {
  /** Stands before `bytes`: what was held back of the piece before. */
  readonly lead: ByteString
  readonly bytes: Buffer
  /** Offsets in lead + bytes just after line ends that came from a lone CR or LF. */
  readonly bare: readonly number[]
  /** The end of data was met; `rest` is what follows it. */
  readonly done: boolean
  readonly rest: Buffer
}

export interface ScannerOptions {
  /**
   * `stuffed` (DATA): a dot alone ends the data, others at the start of a line are undone. `end` (a local message
   * without `-i`): a dot alone ends it, others stay. `none` (BDAT): dots mean nothing.
   */
  readonly dots: 'stuffed' | 'end' | 'none'
  /** Local input: LF ends a line as CRLF does. */
  readonly lenient: boolean
}

type State = 'start' | 'dot' | 'dotCr' | 'body' | 'cr'

const nothing = Buffer.alloc(0)
const noOffsets: readonly number[] = []

export class DataScanner {
  readonly #dots: ScannerOptions['dots']
  readonly #lenient: boolean
  #state: State
  /** Lone CR and LF seen so far. */
  bareLineEnds = 0

  constructor(options: ScannerOptions) {
    this.#dots = options.dots
    this.#lenient = options.lenient
    this.#state = this.#lineStart()
  }

  /** Works in place: the piece belongs to the scanner afterwards. */
  push(piece: Buffer): ScannedPiece {
    const length = piece.length
    let state = this.#state
    let lead = ''
    let bare: number[] | undefined
    let read = 0
    let write = 0
    // The next CR and LF from `read` on; `length` when there is none.
    let nextCr = -1
    let nextLf = -1
    const emit = (byte: number): void => {
      // Only at the very start of a piece can there be no room: the byte held back comes from the piece before.
      if (write < read) piece[write++] = byte
      else lead += String.fromCharCode(byte)
    }
    const emitLineEnd = (isBare: boolean): void => {
      emit(LF)
      if (!isBare) return
      this.bareLineEnds++
      bare ??= []
      bare.push(lead.length + write)
    }
    while (read < length) {
      if (state === 'start') {
        state = piece[read] === DOT ? 'dot' : 'body'
        if (state === 'dot') read++
      } else if (state === 'dot') {
        // The stuffed dot is gone; alone on its line it ends the data.
        const byte = piece[read]
        if (byte === CR) {
          state = 'dotCr'
          read++
        } else if (byte === LF && this.#lenient) {
          return this.#end(piece, read + 1, lead, write, bare)
        } else {
          if (this.#dots === 'end') emit(DOT)
          state = 'body'
        }
      } else if (state === 'dotCr') {
        if (piece[read] === LF) return this.#end(piece, read + 1, lead, write, bare)
        if (this.#dots === 'end') emit(DOT)
        emitLineEnd(true)
        state = 'body'
      } else if (state === 'cr') {
        if (piece[read] === LF) {
          read++
          emitLineEnd(false)
          state = this.#lineStart()
        } else {
          emitLineEnd(true)
          state = 'body'
        }
      } else {
        if (nextCr < read) nextCr = indexFrom(piece, CR, read)
        if (nextLf < read) nextLf = indexFrom(piece, LF, read)
        const end = nextCr < nextLf ? nextCr : nextLf
        if (end > read) {
          if (write !== read) piece.copyWithin(write, read, end)
          write += end - read
          read = end
        }
        if (read === length) break
        read++
        if (end === nextLf) {
          emitLineEnd(!this.#lenient)
          state = this.#lenient ? this.#lineStart() : 'body'
        } else state = 'cr'
      }
    }
    this.#state = state
    return { lead, bytes: piece.subarray(0, write), bare: bare ?? noOffsets, done: false, rest: nothing }
  }

  /** The input is over (BDAT LAST): what was held back. */
  finish(): '' | '\n' {
    const held = this.#state === 'cr' || this.#state === 'dotCr'
    this.#state = this.#lineStart()
    if (held) this.bareLineEnds++
    return held ? '\n' : ''
  }

  #lineStart(): State {
    return this.#dots === 'none' ? 'body' : 'start'
  }

  #end(
    piece: Buffer,
    read: number,
    lead: ByteString,
    write: number,
    bare: readonly number[] | undefined,
  ): ScannedPiece {
    return {
      lead,
      bytes: piece.subarray(0, write),
      bare: bare ?? noOffsets,
      done: true,
      rest: piece.subarray(read),
    }
  }
}

function indexFrom(piece: Buffer, byte: number, from: number): number {
  const at = piece.indexOf(byte, from)
  return at < 0 ? piece.length : at
}
