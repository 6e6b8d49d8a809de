/** Takes a text apart from its start, by lines and by counted bytes. */
import type { ByteString } from '../../base/text.ts'

export class LineReader {
  readonly #text: ByteString
  #at = 0

  constructor(text: ByteString) {
    this.#text = text
  }

  atEnd(): boolean {
    return this.#at >= this.#text.length
  }

  peek(): string {
    return this.#text.charAt(this.#at)
  }

  startsWith(start: string): boolean {
    return this.#text.startsWith(start, this.#at)
  }

  /** The next line without its end; empty at the end. */
  line(): ByteString {
    const end = this.#text.indexOf('\n', this.#at)
    const line = this.#text.slice(this.#at, end < 0 ? undefined : end)
    this.#at = end < 0 ? this.#text.length : end + 1
    return line
  }

  /** So many bytes and the line end after them. */
  take(length: number): ByteString | undefined {
    const taken = this.takeBytes(length)
    if (taken === undefined || this.peek() !== '\n') return undefined
    this.#at++
    return taken
  }

  takeBytes(length: number): ByteString | undefined {
    if (this.#at + length > this.#text.length) return undefined
    const taken = this.#text.slice(this.#at, this.#at + length)
    this.#at += length
    return taken
  }

  /** What a sticky expression finds here. */
  match(expression: RegExp): RegExpExecArray | undefined {
    expression.lastIndex = this.#at
    const found = expression.exec(this.#text)
    if (found === null) return undefined
    this.#at += found[0].length
    return found
  }
}
