/** Finds plain and `*suffix` items by table, at a cost that does not grow with the number of items. */

/** Items compared in one way: without or with regard to case. */
export class TextIndex {
  readonly #exact = new Map<string, number>()
  readonly #suffixes = new Map<string, number>()
  /** Lengths of suffixes in use, so that a look-up tries only these. */
  readonly #lengths: number[] = []

  /** Adds an exact item. The first of equal ones counts: lists are read from left to right. */
  addExact(text: string, position: number): void {
    if (!this.#exact.has(text)) this.#exact.set(text, position)
  }

  /** Adds what follows the asterisk. */
  addSuffix(text: string, position: number): void {
    if (this.#suffixes.has(text)) return
    this.#suffixes.set(text, position)
    if (!this.#lengths.includes(text.length)) this.#lengths.push(text.length)
  }

  /** The least position of an item that matches, or Infinity. */
  find(subject: string): number {
    let best = this.#exact.get(subject) ?? Number.POSITIVE_INFINITY
    for (const length of this.#lengths) {
      if (length > subject.length) continue
      const position = this.#suffixes.get(length === 0 ? '' : subject.slice(-length))
      if (position !== undefined && position < best) best = position
    }
    return best
  }
}
