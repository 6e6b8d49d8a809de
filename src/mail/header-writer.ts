/** Writes an address list of a header anew, address by address. Source: RFC 5322 section 3.4; folding observed of Exim 4.96. */
import type { ByteString } from '../base/text.ts'
import { endOfAddress } from './parse-address.ts'

/** After a changed address beyond so many bytes the header goes on in a new line. */
const foldBeyond = 40

/** Goes through the items of an address list and writes it anew. */
export class HeaderWriter {
  /** The address at hand, without the blanks and the group marks around it. */
  item: ByteString = ''
  readonly #text: ByteString
  #end: number
  #written: ByteString
  #changed = false
  /** Between the colon and the semicolon of a group. */
  #inGroup = false
  /** Where the header begins, or what was last put on a line of its own. */
  #lineStart = 0

  constructor(text: ByteString, start: number) {
    this.#text = text
    this.#end = start
    this.#written = text.slice(0, start)
  }

  /** Copies what stands between addresses; false at the end. */
  findItem(): boolean {
    const start = this.#end
    let at = start
    for (;;) {
      while (/[\s,]/.test(this.#text.charAt(at))) at++
      // After the end of a group there must be a comma, or what follows is no address.
      if (this.#inGroup && this.#text[at] === ';') {
        this.#inGroup = false
        if (/^;\s*(?:,|$)/.test(this.#text.slice(at, at + 1000))) at++
        else break
        continue
      }
      const group = this.#inGroup
        ? null
        : /^(?:[^@<>,;:"(\\]|"(?:[^"\\]|\\.)*")*:/.exec(this.#text.slice(at, at + 1000))
      if (group === null) break
      at += group[0].length
      this.#inGroup = true
    }
    this.#written += this.#text.slice(start, at)
    if (at >= this.#text.length) {
      this.#end = at
      return false
    }
    this.#end = endOfAddress(this.#text, at, false, this.#inGroup)
    this.item = this.#text.slice(at, this.#end).trimEnd()
    this.#end = at + this.item.length
    return true
  }

  keep(): void {
    this.#written += this.item
  }

  /** Puts text in the place of a part of the item. What follows goes to a line of its own when the header is long. */
  replace(start: number, end: number, text: ByteString, folds: boolean = true): void {
    this.#written += this.item.slice(0, start) + text + this.item.slice(end)
    this.#changed = true
    const between =
      /^[ \t]*(?:;[ \t]*)?,?[ \t]*/.exec(this.#text.slice(this.#end, this.#end + 1000))?.[0] ?? ''
    const next = this.#end + between.length
    if (!folds || this.#written.length + between.length - this.#lineStart <= foldBeyond) return
    if (this.#text[next] === '\n' || next >= this.#text.length) return
    this.#written += `${between}\n\t`
    this.#lineStart = this.#written.length - 1
    this.#end = next
  }

  finish(): ByteString | undefined {
    return this.#changed ? this.#written + this.#text.slice(this.#end) : undefined
  }
}
