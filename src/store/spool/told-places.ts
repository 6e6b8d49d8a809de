/**
 * Up to where the index has heard of the messages of this process's segments, so that who only looks need not read
 * them whole. Commits are told of in the order of their records.
 */
import type { Location } from './journal.ts'

/** Records that the index need not hear of, since their messages were complete before, may grow to so many bytes. */
const farBytes = 1 << 20

export class ToldPlaces {
  /** Where the newest commit of each segment ends. */
  readonly #ends = new Map<string, number>()
  readonly #told = new Map<string, number>()
  #behind = 0

  committed(record: Location | undefined): void {
    if (record === undefined) return
    const { segment, offset, length } = record
    this.#ends.set(segment, Math.max(this.#ends.get(segment) ?? 0, offset + length))
    this.#behind += length
  }

  /** So much has passed the index by that it is worth telling. */
  get farBehind(): boolean {
    return this.#behind > farBytes
  }

  /** What to tell now, when the messages of these records are not told of yet. */
  with(left: readonly (Location | undefined)[]): ReadonlyMap<string, number> {
    const places = new Map(this.#ends)
    for (const record of left) {
      const end = record === undefined ? undefined : places.get(record.segment)
      if (record !== undefined && end !== undefined) places.set(record.segment, Math.min(end, record.offset))
    }
    for (const [segment, place] of places) if (this.#told.get(segment) === place) places.delete(segment)
    return places
  }

  written(places: ReadonlyMap<string, number>): void {
    this.#behind = 0
    for (const [segment, place] of places) {
      this.#told.set(segment, place)
      // All of it is told; a newer commit brings it back.
      if (place === this.#ends.get(segment) && this.#ends.size > 1) {
        this.#ends.delete(segment)
        this.#told.delete(segment)
      }
    }
  }
}
