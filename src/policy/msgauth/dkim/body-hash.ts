/**
 * Hashes of a body in canonical form, taken while it streams by: nothing of it is kept.
 *
 * Bytes come as the spool holds them, with LF line ends; the offsets of line ends that stood alone on the wire (a bare CR
 * or LF) come along, and count as bytes of the line: RFC 6376 knows CRLF alone as a line end, and a message whose lines were
 * cut otherwise is another message. Source: RFC 6376 sections 3.4.3, 3.4.4, 3.4.5 and 3.7.
 */
import { createHash, type Hash } from 'node:crypto'

export type Canonicalisation = 'simple' | 'relaxed'
export type HashName = 'sha1' | 'sha256' | 'sha512'

/** One body hash that is wanted. */
export interface BodyHash {
  /** Undefined before the end, and when the body has fewer bytes than the limit names. */
  digest: Buffer | undefined
  /** Bytes of the whole canonical body; known at the end. */
  bodyLength: number
}

interface Wanted extends BodyHash {
  /** `l=`; -1: all. */
  readonly limit: number
}

const LF = 10
const CR = 13
const SPACE = 32
const TAB = 9

const sliceBytes = 32_768
/** Line ends held back before they are hashed on probation. */
const mostHeld = 4096
/** Room for a slice in which each byte is a line end, a space before it, and the line ends held back. */
const scratch = Buffer.allocUnsafeSlow(2 * (sliceBytes + mostHeld) + 16)
const crlf = Buffer.from('\r\n')
const noOffsets: readonly number[] = []

export class BodyHashes {
  readonly #bodies = new Map<Canonicalisation, CanonicalBody>()

  /** Asks for a hash; equal wishes are answered by one. To be called before the first byte. */
  want(canonicalisation: Canonicalisation, hash: HashName, limit: number = -1): BodyHash {
    let body = this.#bodies.get(canonicalisation)
    if (body === undefined) {
      body = new CanonicalBody(canonicalisation === 'relaxed')
      this.#bodies.set(canonicalisation, body)
    }
    return body.want(hash, limit)
  }

  /** @param bare offsets in `bytes` just after line ends that stood alone */
  push(bytes: Uint8Array, bare: readonly number[] = noOffsets): void {
    for (const body of this.#bodies.values()) body.push(bytes, bare)
  }

  /** The end: digests are there afterwards. */
  finish(): void {
    for (const body of this.#bodies.values()) body.finish()
  }
}

/** One canonical form, fed to the hashes that want it. */
class CanonicalBody {
  readonly #relaxed: boolean
  readonly #hashers = new Map<HashName, Hasher>()
  /** Line ends since the last byte of a line, not hashed yet; more than one of them are empty lines. */
  #held = 0
  /** White space since the last other byte of the line (relaxed). */
  #space = false
  /** There was a line with something on it. */
  #any = false
  #out = 0

  constructor(relaxed: boolean) {
    this.#relaxed = relaxed
  }

  want(hash: HashName, limit: number): BodyHash {
    let hasher = this.#hashers.get(hash)
    if (hasher === undefined) {
      hasher = new Hasher(hash)
      this.#hashers.set(hash, hasher)
    }
    return hasher.want(limit)
  }

  push(bytes: Uint8Array, bare: readonly number[]): void {
    let from = 0
    for (const end of bare) {
      this.#lines(bytes, from, end - 1)
      this.#literal(LF)
      from = end
    }
    this.#lines(bytes, from, bytes.length)
  }

  finish(): void {
    // Empty lines at the end do not count. A simple body always ends in CRLF, a relaxed one when there is anything.
    for (const hasher of this.#hashers.values()) hasher.finish(this.#any || !this.#relaxed)
  }

  #lines(bytes: Uint8Array, from: number, to: number): void {
    for (let start = from; start < to; start += sliceBytes) {
      const end = Math.min(start + sliceBytes, to)
      this.#out = 0
      if (this.#relaxed) this.#relaxedSlice(bytes, start, end)
      else this.#simpleSlice(bytes, start, end)
      this.#emit()
    }
  }

  /** A byte of a line, whatever it is. */
  #literal(byte: number): void {
    this.#out = 0
    this.#release()
    scratch[this.#out++] = byte
    this.#emit()
  }

  #simpleSlice(bytes: Uint8Array, from: number, to: number): void {
    let held = this.#held
    let out = 0
    for (let i = from; i < to; i++) {
      // Within the bounds of the array.
      const byte = bytes[i] as number
      if (byte === LF) {
        held++
        if (held < mostHeld) continue
        this.#out = out
        this.#held = held
        this.#onProbation()
        out = this.#out
        held = this.#held
        continue
      }
      if (held > 0) {
        this.#out = out
        this.#held = held
        this.#release()
        out = this.#out
        held = 0
      }
      scratch[out++] = byte
      this.#any = true
    }
    this.#held = held
    this.#out = out
  }

  #relaxedSlice(bytes: Uint8Array, from: number, to: number): void {
    let held = this.#held
    let space = this.#space
    let out = 0
    for (let i = from; i < to; i++) {
      // Within the bounds of the array.
      const byte = bytes[i] as number
      if (byte === SPACE || byte === TAB) {
        space = true
      } else if (byte === LF) {
        // White space at the end of a line is gone.
        space = false
        held++
        if (held < mostHeld) continue
        this.#out = out
        this.#held = held
        this.#onProbation()
        out = this.#out
        held = this.#held
      } else {
        if (held > 0) {
          this.#out = out
          this.#held = held
          this.#space = false
          this.#release()
          out = this.#out
          held = 0
        }
        if (space) {
          scratch[out++] = SPACE
          space = false
        }
        scratch[out++] = byte
        this.#any = true
      }
    }
    this.#held = held
    this.#space = space
    this.#out = out
  }

  /** The line goes on, or another one begins that is not empty: what was held back counts. */
  #release(): void {
    this.#any = true
    for (const hasher of this.#hashers.values()) hasher.settle()
    this.#writeHeld(0)
    if (this.#space) scratch[this.#out++] = SPACE
    this.#space = false
  }

  /** Too many line ends to hold: hashed now, and taken back when nothing follows them. */
  #onProbation(): void {
    this.#emit()
    for (const hasher of this.#hashers.values()) hasher.remember()
    // One stays, so that the next byte of a line finds something to release.
    this.#writeHeld(1)
    this.#emit()
  }

  #writeHeld(keep: number): void {
    for (let i = this.#held; i > keep; i--) {
      scratch[this.#out++] = CR
      scratch[this.#out++] = LF
    }
    this.#held = Math.min(this.#held, keep)
  }

  #emit(): void {
    if (this.#out === 0) return
    const bytes = scratch.subarray(0, this.#out)
    for (const hasher of this.#hashers.values()) hasher.feed(bytes)
    this.#out = 0
  }
}

/** A running hash with the places at which its value is wanted. */
class Hasher {
  readonly #name: HashName
  #hash: Hash
  #position = 0
  /** The hash of the whole body is wanted. */
  #whole = false
  readonly #wanted = new Map<number, Wanted>()
  /** Limits not reached yet, the smallest first. */
  #limits: Wanted[] = []
  /** The state before line ends that may turn out to be the end of the body. */
  #remembered: { readonly hash: Hash; readonly position: number } | undefined

  constructor(name: HashName) {
    this.#name = name
    this.#hash = createHash(name)
  }

  want(limit: number): BodyHash {
    let wanted = this.#wanted.get(limit)
    if (wanted !== undefined) return wanted
    wanted = { limit, digest: limit === 0 ? createHash(this.#name).digest() : undefined, bodyLength: 0 }
    this.#wanted.set(limit, wanted)
    if (limit < 0) this.#whole = true
    if (limit > 0) this.#limits = [...this.#limits, wanted].toSorted((a, b) => a.limit - b.limit)
    return wanted
  }

  feed(bytes: Uint8Array): void {
    let next = this.#limits[0]
    while (next !== undefined && next.limit <= this.#position + bytes.length) {
      const upTo = bytes.subarray(0, next.limit - this.#position)
      next.digest = this.#hash.copy().update(upTo).digest()
      this.#limits.shift()
      next = this.#limits[0]
    }
    if (this.#whole || next !== undefined) this.#hash.update(bytes)
    this.#position += bytes.length
  }

  remember(): void {
    this.#remembered ??= { hash: this.#hash.copy(), position: this.#position }
  }

  settle(): void {
    this.#remembered = undefined
  }

  finish(lastLineEnd: boolean): void {
    if (this.#remembered !== undefined) {
      this.#hash = this.#remembered.hash
      this.#position = this.#remembered.position
    }
    if (lastLineEnd) this.feed(crlf)
    for (const wanted of this.#wanted.values()) {
      wanted.bodyLength = this.#position
      if (wanted.limit > this.#position) wanted.digest = undefined
      else if (wanted.limit < 0) wanted.digest = this.#hash.copy().digest()
    }
  }
}
