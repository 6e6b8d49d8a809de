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
import { mayHidePassword, mayHidePasswordAt, withoutPasswords } from './trace-secrets.ts'
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
const equals = 0x3d
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
    this.#head(kind, step - parent, this.#tick(), what, noted)
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
    this.#head(kind + tapeMarks.note, step - parent, ticks, what, noted)
    this.#result(result)
    this.#number(step - since)
  }

  end(step: number, result: ByteString): void {
    if (this.#closed) return
    this.#room(headBytes)
    this.#buffer[this.#length++] = tapeMarks.end
    this.#number(this.#steps - step)
    this.#number(this.#tick())
    this.#result(result)
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
      this.#buffer[this.#length++] = tapeMarks.rest
      this.#number(step)
      this.#number(count)
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

  #head(kind: number, distance: number, ticks: number, what: ByteString, noted: Noted | undefined): void {
    this.#room(headBytes)
    const number = noted === undefined ? undefined : this.table.numberOf(noted)
    this.#buffer[this.#length++] = number === undefined ? kind : kind + tapeMarks.definition
    this.#number(distance)
    this.#number(ticks)
    if (number !== undefined) this.#number(number)
    // With a full table the words stand here, and the place is left out.
    const words = noted !== undefined && number === undefined ? what + noted.text : what
    this.#text(this.#whole(words))
  }

  /** There is always room for what came of a step, if not for many words. */
  #result(result: ByteString): void {
    const whole = this.#whole(result)
    this.#text(this.#length + whole.length > this.#limits.bytes ? this.#whole(whole.slice(0, 200)) : whole)
    this.#room(headBytes)
  }

  /** Tenths of a millisecond since it was last asked. */
  #tick(): number {
    const ticks = Math.round((this.#now() - this.#began) * 10)
    const passed = ticks - this.#ticks
    if (passed <= 0) return 0
    this.#ticks = ticks
    return passed
  }

  #number(value: number): void {
    let rest = value
    while (rest > 127) {
      this.#buffer[this.#length++] = (rest % 128) + 128
      rest = Math.floor(rest / 128)
    }
    this.#buffer[this.#length++] = rest
  }

  #text(text: ByteString): void {
    const { length } = text
    this.#room(length + 8)
    const before = this.#length
    this.#number(length)
    const buffer = this.#buffer
    const start = this.#length
    this.#length = start + length
    // Most texts are short, and a call out of JavaScript costs more than they.
    if (length >= 128) {
      if (mayHidePassword(text)) this.#withoutPasswords(text, before)
      else buffer.write(text, start, 'latin1')
      return
    }
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i)
      buffer[start + i] = code
      if (code === equals && mayHidePasswordAt(text, i)) {
        this.#withoutPasswords(text, before)
        return
      }
    }
  }

  /** A text that may hold one. */
  #withoutPasswords(text: ByteString, at: number): void {
    const shown = withoutPasswords(text)
    this.#length = at
    this.#room(shown.length + 8)
    this.#number(shown.length)
    this.#buffer.write(shown, this.#length, 'latin1')
    this.#length += shown.length
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
    let cut = cutText(text, this.#limits.text)
    if (this.#secrets !== undefined) for (const secret of this.#secrets) cut = cut.replaceAll(secret, '****')
    return cut
  }
}
