/**
 * The steps of one explanation as bytes, written while they happen: no object is kept for a step, and nothing is left to do
 * when it is over. Times are tenths of a millisecond after the step or end before; numbers are little-endian base 128.
 *
 *   begin   kind (64 added: a definition follows), parent as a distance, time, [definition], text
 *   note    kind + 128 (64 added: as above), parent as a distance, time, [definition], text, result, a number of steps: it is
 *           over, and of so many before it those that have the same parent stand within it
 *   end     63, step as a distance, time, result
 *   rest    62, step, steps that were left out of it
 */
import type { Noted } from '../base/noted.ts'
import type { ByteString } from '../base/text.ts'
import { withoutPasswords } from './trace-secrets.ts'
import { cutText, type TraceTable } from './trace-table.ts'

export interface TraceLimits {
  readonly nodes: number
  /** Bytes of one text. */
  readonly text: number
  /** Bytes of all steps together. */
  readonly bytes: number
  /** Texts that no condition, list or router asked for are left out: the greeting, the Received: header. */
  readonly terse?: boolean
}

export const tapeMarks = { note: 128, definition: 64, end: 63, rest: 62 } as const

/** So much of the room is for what comes last: the ends of commands. */
const reserve = 1 / 8
/** Depths that find no place any more when half, three quarters of the room are taken: values, then conditions. */
const tight = [
  { fill: 1 / 2, depth: 5 },
  { fill: 3 / 4, depth: 3 },
] as const
const mostSecrets = 50
const noRoom = Buffer.alloc(0)
/** Marks, distances, times and lengths of a step, at most. */
const headBytes = 48

function hasPlace(fill: number, depth: number): boolean {
  return fill < 1 - reserve && !tight.some((at) => fill >= at.fill && depth > at.depth)
}

export class TraceTape {
  readonly table: TraceTable
  readonly terse: boolean
  readonly #limits: TraceLimits
  readonly #now: () => number
  readonly #began: number
  // What few explanations need is made when it is needed: it would live as long as the session.
  #secrets: ByteString[] | undefined
  #leftOut: Map<number, number> | undefined
  #buffer: Buffer
  #length = 0
  #steps = 0
  #ticks = 0
  #closed = false

  /** @param now milliseconds */
  constructor(table: TraceTable, now: () => number, limits: TraceLimits) {
    this.table = table
    this.terse = limits.terse === true
    this.#now = now
    this.#limits = limits
    this.#began = now()
    this.#buffer = table.takeBuffer()
  }

  /** How much of the room is taken, 0 to 1. */
  get fill(): number {
    return Math.max(this.#steps / this.#limits.nodes, this.#length / this.#limits.bytes)
  }

  conceal(secret: ByteString): void {
    // A shorter one would hide half of what is written.
    if (secret.length < 4) return
    this.#secrets ??= []
    if (this.#secrets.length < mostSecrets) this.#secrets.push(secret)
  }

  /** How many steps there are. */
  get steps(): number {
    return this.#steps
  }

  /** The number of the step; -1: there is no room for it. The first one has no parent: 0. */
  begin(kind: number, parent: number, depth: number, what: ByteString, noted: Noted | undefined): number {
    if (!this.takes(parent, depth)) return -1
    const step = this.#steps++
    const number = noted === undefined ? undefined : this.table.numberOf(noted)
    const words = this.#words(what, noted, number)
    this.#room(headBytes + words.length)
    const buffer = this.#buffer
    let at = this.#length
    buffer[at++] = number === undefined ? kind : kind + tapeMarks.definition
    at = putNumber(buffer, at, step - parent)
    at = putNumber(buffer, at, this.#tick())
    if (number !== undefined) at = putNumber(buffer, at, number)
    this.#length = putText(buffer, at, words)
    return step
  }

  /** A step that took no time. It was asked before whether it `takes` it. */
  note(kind: number, parent: number, what: ByteString, result: ByteString, noted: Noted | undefined): void {
    this.#note(kind, parent, this.#steps, 0, what, result, noted)
  }

  /**
   * A step that is over, with those since then within it.
   * @param timed its time is looked at; else it stands with the next one whose time is
   */
  over(
    kind: number,
    parent: number,
    since: number,
    timed: boolean,
    what: ByteString,
    result: ByteString,
    noted: Noted | undefined,
  ): void {
    if (!this.#closed) this.#note(kind, parent, since, timed ? this.#tick() : 0, what, result, noted)
  }

  #note(
    kind: number,
    parent: number,
    since: number,
    ticks: number,
    what: ByteString,
    result: ByteString,
    noted: Noted | undefined,
  ): void {
    const step = this.#steps++
    const number = noted === undefined ? undefined : this.table.numberOf(noted)
    const words = this.#words(what, noted, number)
    const outcome = this.#outcome(result, words.length)
    this.#room(headBytes + words.length + outcome.length)
    // In one go, as most of what is written down is written here.
    const buffer = this.#buffer
    let at = this.#length
    buffer[at++] = kind + tapeMarks.note + (number === undefined ? 0 : tapeMarks.definition)
    at = putNumber(buffer, at, step - parent)
    at = putNumber(buffer, at, ticks)
    if (number !== undefined) at = putNumber(buffer, at, number)
    at = putText(buffer, at, words)
    at = putText(buffer, at, outcome)
    this.#length = putNumber(buffer, at, step - since)
  }

  end(step: number, result: ByteString): void {
    if (this.#closed) return
    const outcome = this.#outcome(result, 0)
    this.#room(headBytes + outcome.length)
    const buffer = this.#buffer
    let at = this.#length
    buffer[at++] = tapeMarks.end
    at = putNumber(buffer, at, this.#steps - step)
    at = putNumber(buffer, at, this.#tick())
    this.#length = putText(buffer, at, outcome)
  }

  /** What has been written; nothing is written after `close`. */
  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length)
  }

  give(take: (bytes: Buffer, length: number) => void): void {
    take(this.#buffer, this.#length)
  }

  /** Writes what was left out. */
  finish(): void {
    if (this.#leftOut === undefined) return
    for (const [step, count] of this.#leftOut) {
      this.#room(headBytes)
      const at = this.#length
      this.#buffer[at] = tapeMarks.rest
      this.#length = putNumber(this.#buffer, putNumber(this.#buffer, at + 1, step), count)
    }
    this.#leftOut = undefined
  }

  /** Its room is for others now: work that ends late finds it closed. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.table.giveBuffer(this.#buffer)
    this.#buffer = noRoom
    this.#length = 0
  }

  /** Whether there is room for a step; one without is counted. */
  takes(parent: number, depth: number): boolean {
    if (this.#closed) return false
    const { nodes, bytes } = this.#limits
    const fill = this.#length / bytes
    if (this.#steps < nodes && (fill < tight[0].fill || hasPlace(fill, depth) || this.#steps === 0))
      return true
    this.#leftOut ??= new Map()
    this.#leftOut.set(parent, (this.#leftOut.get(parent) ?? 0) + 1)
    return false
  }

  /** With a full table the words of the configuration stand there, and the place is left out. */
  #words(what: ByteString, noted: Noted | undefined, number: number | undefined): ByteString {
    return this.#whole(noted === undefined || number !== undefined ? what : what + noted.text)
  }

  /** There is always room for what came of a step, if not for many words. */
  #outcome(result: ByteString, before: number): ByteString {
    const whole = this.#whole(result)
    return this.#length + before + whole.length > this.#limits.bytes
      ? this.#whole(whole.slice(0, 200))
      : whole
  }

  /** Tenths of a millisecond since it was last asked. */
  #tick(): number {
    const ticks = Math.round((this.#now() - this.#began) * 10)
    const passed = ticks - this.#ticks
    if (passed <= 0) return 0
    this.#ticks = ticks
    return passed
  }

  #room(bytes: number): void {
    const wanted = this.#length + bytes
    if (wanted <= this.#buffer.length) return
    let size = this.#buffer.length * 2
    while (size < wanted) size *= 2
    const larger = Buffer.allocUnsafeSlow(size)
    // The smaller one goes: among the spare ones it would only come to grow again.
    this.#buffer.copy(larger, 0, 0, this.#length)
    this.#buffer = larger
  }

  /** Not too long, and without what must not be seen. */
  #whole(text: ByteString): ByteString {
    let cut = withoutPasswords(cutText(text, this.#limits.text))
    if (this.#secrets !== undefined) for (const secret of this.#secrets) cut = cut.replaceAll(secret, '****')
    return cut
  }
}

/** @returns where it ends */
function putNumber(buffer: Buffer, start: number, value: number): number {
  let at = start
  let rest = value
  while (rest > 127) {
    buffer[at++] = (rest % 128) + 128
    rest = Math.floor(rest / 128)
  }
  buffer[at] = rest
  return at + 1
}

/** Most texts are short, and a call out of JavaScript costs more than they. */
const shortText = 24

/** @returns where it ends */
function putText(buffer: Buffer, start: number, text: ByteString): number {
  const { length } = text
  const at = putNumber(buffer, start, length)
  if (length > shortText) buffer.write(text, at, 'latin1')
  else for (let i = 0; i < length; i++) buffer[at + i] = text.charCodeAt(i)
  return at + length
}
