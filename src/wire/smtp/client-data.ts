/**
 * Turns a message with LF line ends into what goes over the wire: CRLF line ends and, for DATA, doubled leading
 * dots. A CR of its own becomes a line end too, so nothing bare passes on. Source: RFC 5321 sections 2.3.8, 4.5.2.
 */

const LF = 10
const CR = 13
const DOT = 46

/** Keeps state between pieces of one message. */
export class WireEncoder {
  readonly #stuff: boolean
  #lineStart = true
  #afterCr = false
  /** Bytes given out so far, `finish` included. */
  bytes = 0

  /** @param stuffDots true for DATA and LMTP, false for BDAT */
  constructor(stuffDots: boolean) {
    this.#stuff = stuffDots
  }

  encode(piece: Uint8Array): Buffer {
    const out = Buffer.allocUnsafe(piece.length * 2 + 1)
    let to = 0
    let lineStart = this.#lineStart
    let afterCr = this.#afterCr
    const stuff = this.#stuff
    for (let i = 0; i < piece.length; i++) {
      // The index is below the length.
      const byte = piece[i] as number
      if (byte > DOT) {
        out[to++] = byte
        lineStart = false
        afterCr = false
      } else if (byte === LF) {
        if (!afterCr) {
          out[to++] = CR
          out[to++] = LF
        }
        afterCr = false
        lineStart = true
      } else if (byte === CR) {
        out[to++] = CR
        out[to++] = LF
        afterCr = true
        lineStart = true
      } else {
        if (byte === DOT && lineStart && stuff) out[to++] = DOT
        out[to++] = byte
        lineStart = false
        afterCr = false
      }
    }
    this.#lineStart = lineStart
    this.#afterCr = afterCr
    this.bytes += to
    return out.subarray(0, to)
  }

  /** What ends the message: the missing line end, if any, and the dot for DATA. */
  finish(): string {
    const end = `${this.#lineStart ? '' : '\r\n'}${this.#stuff ? '.\r\n' : ''}`
    this.bytes += end.length
    return end
  }
}
