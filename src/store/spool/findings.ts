/**
 * What segments say of their messages, while they are read. A queue may hold a million messages, of most of which there is one
 * record, or one and a mark: those are kept as a row of numbers. What has more to it is an object.
 */
import type { Location } from './journal.ts'
import type { RecordType, RecordView } from './record.ts'

/** What the segments say of one message. */
export interface Found {
  message: (Location & { readonly sequence: number }) | undefined
  /** Other segments that hold a message record of it. */
  origins: string[]
  /** Marks and updates, as they stand: few, and only of those not complete. */
  later: Later[]
  tombstone: { readonly segment: string; readonly others: readonly string[] } | undefined
}

export interface Later {
  readonly location: Location
  readonly sequence: number
  readonly type: RecordType
  readonly json: string
}

/** Adds what a record says. */
export function note(found: Map<string, Found>, segment: string, record: RecordView): void {
  let of = found.get(record.id)
  if (of === undefined)
    found.set(record.id, (of = { message: undefined, origins: [], later: [], tombstone: undefined }))
  noteIn(of, segment, record)
}

function noteIn(of: Found, segment: string, record: RecordView): void {
  const { offset, length, sequence, type } = record
  if (type === 'tombstone') {
    of.tombstone = { segment, others: othersOf(segment, record) }
    of.later = []
  } else if (type === 'message') {
    if (of.message !== undefined && of.message.sequence > sequence) of.origins.push(segment)
    else {
      if (of.message !== undefined) of.origins.push(of.message.segment)
      of.message = { segment, offset, length, sequence }
    }
  } else if (of.tombstone === undefined) {
    of.later.push({
      location: { segment, offset, length },
      sequence,
      type,
      json: record.json.toString('utf8'),
    })
  }
}

/** The other segments that still speak of a completed message. */
function othersOf(segment: string, record: RecordView): string[] {
  const json: unknown = JSON.parse(record.json.toString('utf8'))
  // The CRC vouches for the shape.
  return (json as { segments: string[] }).segments.filter((name) => name !== segment)
}

/** Numbers of a row: of the message record, and of the one that came after it. */
const at = {
  segment: 0,
  offset: 1,
  length: 2,
  sequence: 3,
  laterSegment: 4,
  laterOffset: 5,
  laterLength: 6,
  laterSequence: 7,
  laterJson: 8,
  state: 9,
} as const
const rowNumbers = 10
/** Kinds of rows. `complete`: and no other segment speaks of it. */
const states = { message: 0, withMark: 1, withUpdate: 2, complete: 3 } as const
/** What a number of a row can hold. */
const mostOffset = 0xffff_ffff

export class Findings {
  readonly #rows = new Map<string, number>()
  readonly #others = new Map<string, Found>()
  #numbers = new Uint32Array(rowNumbers << 10)
  #count = 0
  readonly #segments = new Interned()
  /** Most marks say the same. */
  readonly #texts = new Interned()

  note(segment: string, record: RecordView): void {
    const { id } = record
    const other = this.#others.get(id)
    if (other !== undefined) return noteIn(other, segment, record)
    const row = this.#rows.get(id)
    if (row === undefined) this.#first(segment, record)
    else this.#next(row, segment, record)
  }

  /** A tombstone that is known without its record. */
  noteComplete(id: string, segment: string, others: readonly string[]): void {
    this.#rows.delete(id)
    this.#others.set(id, { message: undefined, origins: [], later: [], tombstone: { segment, others } })
  }

  get(id: string): Found | undefined {
    const other = this.#others.get(id)
    if (other !== undefined) return other
    const row = this.#rows.get(id)
    return row === undefined ? undefined : this.#unfolded(row)
  }

  /** Ids of what is not complete, in their order. */
  living(): string[] {
    const ids: string[] = []
    for (const [id, row] of this.#rows) if (this.#numbers[row + at.state] !== states.complete) ids.push(id)
    for (const [id, { tombstone }] of this.#others) if (tombstone === undefined) ids.push(id)
    return ids.sort()
  }

  /** What is complete, with the other segments that speak of it. */
  *complete(): Generator<{
    readonly id: string
    readonly segment: string
    readonly others: readonly string[]
  }> {
    for (const [id, row] of this.#rows) {
      if (this.#numbers[row + at.state] !== states.complete) continue
      yield { id, segment: this.#segments.text(this.#numbers[row + at.segment]), others: [] }
    }
    for (const [id, { tombstone }] of this.#others) if (tombstone !== undefined) yield { id, ...tombstone }
  }

  #first(segment: string, record: RecordView): void {
    const { id, type, offset, length, sequence } = record
    const complete = type === 'tombstone' && othersOf(segment, record).length === 0
    if ((type !== 'message' && !complete) || offset + length > mostOffset) {
      const found: Found = { message: undefined, origins: [], later: [], tombstone: undefined }
      this.#others.set(id, found)
      return noteIn(found, segment, record)
    }
    const row = this.#newRow()
    const numbers = this.#numbers
    numbers[row + at.segment] = this.#segments.number(segment)
    numbers[row + at.offset] = offset
    numbers[row + at.length] = length
    numbers[row + at.sequence] = sequence
    numbers[row + at.state] = complete ? states.complete : states.message
    this.#rows.set(id, row)
  }

  #next(row: number, segment: string, record: RecordView): void {
    const { id, type, offset, length, sequence } = record
    const numbers = this.#numbers
    const state = numbers[row + at.state]
    // Whatever else is said of it came before, or is a copy that is passed over.
    if (state === states.complete && type !== 'tombstone') return
    if (type === 'tombstone' && othersOf(segment, record).length === 0) {
      numbers[row + at.segment] = this.#segments.number(segment)
      numbers[row + at.state] = states.complete
      return
    }
    const fits = state === states.message && (type === 'mark' || type === 'update')
    if (!fits || offset + length > mostOffset) {
      const found = this.#unfolded(row)
      this.#rows.delete(id)
      this.#others.set(id, found)
      return noteIn(found, segment, record)
    }
    numbers[row + at.laterSegment] = this.#segments.number(segment)
    numbers[row + at.laterOffset] = offset
    numbers[row + at.laterLength] = length
    numbers[row + at.laterSequence] = sequence
    numbers[row + at.laterJson] = this.#texts.number(record.json.toString('utf8'))
    numbers[row + at.state] = type === 'mark' ? states.withMark : states.withUpdate
  }

  #newRow(): number {
    const row = this.#count * rowNumbers
    this.#count++
    if (row + rowNumbers > this.#numbers.length) {
      const longer = new Uint32Array(this.#numbers.length * 2)
      longer.set(this.#numbers)
      this.#numbers = longer
    }
    return row
  }

  #unfolded(row: number): Found {
    const number = (index: number): number => this.#numbers[row + index] ?? 0
    const segment = this.#segments.text(number(at.segment))
    const state = number(at.state)
    if (state === states.complete)
      return { message: undefined, origins: [], later: [], tombstone: { segment, others: [] } }
    const message = {
      segment,
      offset: number(at.offset),
      length: number(at.length),
      sequence: number(at.sequence),
    }
    if (state === states.message) return { message, origins: [], later: [], tombstone: undefined }
    const later: Later = {
      location: {
        segment: this.#segments.text(number(at.laterSegment)),
        offset: number(at.laterOffset),
        length: number(at.laterLength),
      },
      sequence: number(at.laterSequence),
      type: state === states.withMark ? 'mark' : 'update',
      json: this.#texts.text(number(at.laterJson)),
    }
    return { message, origins: [], later: [later], tombstone: undefined }
  }
}

/** Texts by number. */
class Interned {
  readonly #numbers = new Map<string, number>()
  readonly #texts: string[] = []

  number(text: string): number {
    const known = this.#numbers.get(text)
    if (known !== undefined) return known
    const number = this.#texts.push(text) - 1
    this.#numbers.set(text, number)
    return number
  }

  text(number: number | undefined): string {
    return this.#texts[number ?? -1] ?? ''
  }
}
