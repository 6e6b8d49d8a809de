/** Words and quoted strings of an Exim filter file. Source: Exim manual, "Data values in filter commands". */
import type { ByteString } from '../../../../base/text.ts'

/** A file that cannot be read as a filter; `message` is Exim's sentence. */
export class FilterSyntaxError extends Error {}

/** Longest data value before expansion: Exim manual, "Data values in filter commands". */
const longestValue = 1024

export class FilterReader {
  readonly #text: ByteString
  #at = 0
  #line = 1

  constructor(text: ByteString) {
    this.#text = text
    this.skip()
  }

  /** Line of what comes next; white space is always read already. */
  get line(): number {
    return this.#line
  }

  get atEnd(): boolean {
    return this.#at >= this.#text.length
  }

  get next(): string {
    return this.#text[this.#at] ?? ''
  }

  /** Over white space and comments. */
  skip(): void {
    for (;;) {
      const char = this.#text[this.#at]
      if (char === undefined) return
      if (char === '#') {
        const end = this.#text.indexOf('\n', this.#at)
        this.#at = end < 0 ? this.#text.length : end
      } else if (/\s/.test(char)) {
        if (char === '\n') this.#line++
        this.#at++
      } else return
    }
  }

  /** A parenthesis of a condition. */
  takeChar(): void {
    this.#at++
    this.skip()
  }

  /** Up to white space; in conditions parentheses end it too. */
  word(inCondition: boolean): ByteString {
    const end = inCondition ? /[\s()]/g : /\s/g
    end.lastIndex = this.#at
    const found = end.exec(this.#text)?.index ?? this.#text.length
    const word = this.#text.slice(this.#at, found)
    if (word.length >= longestValue) this.#tooLong('word')
    this.#at = found
    this.skip()
    return word
  }

  /** The next word of a condition, left where it is. */
  peekWord(): ByteString {
    return /^[^\s()]*/.exec(this.#text.slice(this.#at, this.#at + longestValue))?.[0] ?? ''
  }

  /** A value: a word, or a string in double quotes with its escapes undone. */
  value(inCondition: boolean): ByteString {
    if (this.next !== '"') return this.word(inCondition)
    const begun = this.#line
    let text = ''
    for (this.#at++; ; this.#at++) {
      const char = this.#text[this.#at]
      if (char === undefined || char === '\n')
        throw new FilterSyntaxError(`quote missing at end of string in line ${begun}`)
      if (char === '"') break
      text += char === '\\' ? this.#escape() : char
      if (text.length >= longestValue) this.#tooLong('string')
    }
    this.#at++
    this.skip()
    return text
  }

  #tooLong(what: string): never {
    throw new FilterSyntaxError(
      `${what} is too long in line ${this.#line} of filter file (max = ${longestValue} chars)`,
    )
  }

  /** At a backslash; leaves the position on the last character of what it stands for. */
  #escape(): string {
    const rest = this.#text.slice(this.#at + 1, this.#at + 4)
    const octal = /^[0-7]{1,3}/.exec(rest)?.[0]
    if (octal !== undefined) {
      this.#at += octal.length
      return String.fromCharCode(Number.parseInt(octal, 8) & 0xff)
    }
    const hex = /^x([0-9a-fA-F]{1,2})/.exec(rest)
    if (hex !== null) {
      this.#at += hex[0].length
      return String.fromCharCode(Number.parseInt(hex[1] ?? '', 16))
    }
    const char = rest[0]
    if (char === undefined) return ''
    this.#at++
    switch (char) {
      case 'n':
        return '\n'
      case 'r':
        return '\r'
      case 't':
        return '\t'
      case '\n':
        // The string goes on in the next line: its first white space does not count.
        this.#line++
        while (/[ \t]/.test(this.#text[this.#at + 1] ?? '')) this.#at++
        return ''
      default:
        return char
    }
  }
}
