/** Reads a Sieve script into commands, tests and arguments. Source: RFC 5228 section 8. */
import type { ByteString } from '../../../../base/text.ts'

/** What is wrong with a script, in Exim's words where it has some; the line is added by whoever tells. */
export class SieveError extends Error {
  readonly line: number
  constructor(message: string, line: number) {
    super(message)
    this.line = line
  }
}

export type Argument =
  | { readonly is: 'tag'; readonly name: string; readonly line: number }
  | { readonly is: 'number'; readonly value: number; readonly line: number }
  | {
      readonly is: 'strings'
      readonly values: readonly ByteString[]
      readonly list: boolean
      readonly line: number
    }

/** A command or a test: a name, arguments, tests, and the commands of its block. */
export interface SieveNode {
  readonly name: string
  readonly line: number
  readonly arguments: readonly Argument[]
  readonly tests: readonly SieveNode[]
  readonly block: readonly SieveNode[] | undefined
}

const depthLimit = 64
const nodeLimit = 20_000
const stringLimit = 64 * 1024

export function parseSieve(script: ByteString): readonly SieveNode[] {
  return new SieveParser(script).script()
}

class SieveParser {
  readonly #text: ByteString
  #at = 0
  #line = 1
  #nodes = 0

  constructor(text: ByteString) {
    this.#text = text
  }

  script(): SieveNode[] {
    const commands = this.#commands(0)
    if (this.#at < this.#text.length) throw this.#wrong('syntax error')
    return commands
  }

  #wrong(message: string): SieveError {
    return new SieveError(message, this.#line)
  }

  #count(depth: number): void {
    if (depth > depthLimit) throw this.#wrong('too many nested commands')
    if (++this.#nodes > nodeLimit) throw this.#wrong('too many commands')
  }

  /** White space, `#` to the end of the line, slash-star comments. */
  #space(): void {
    for (;;) {
      const char = this.#text[this.#at]
      if (char === undefined) return
      if (char === '#') {
        const end = this.#text.indexOf('\n', this.#at)
        this.#at = end < 0 ? this.#text.length : end
      } else if (char === '/' && this.#text[this.#at + 1] === '*') {
        const end = this.#text.indexOf('*/', this.#at + 2)
        if (end < 0) throw this.#wrong('missing end of comment')
        this.#line += this.#text.slice(this.#at, end).split('\n').length - 1
        this.#at = end + 2
      } else if (/[ \t\r\n]/.test(char)) {
        if (char === '\n') this.#line++
        this.#at++
      } else return
    }
  }

  #take(char: string): boolean {
    this.#space()
    if (this.#text[this.#at] !== char) return false
    this.#at++
    return true
  }

  #identifier(): string | undefined {
    this.#space()
    const name = /^[A-Za-z_][A-Za-z0-9_]*/.exec(this.#text.slice(this.#at, this.#at + 128))?.[0]
    if (name !== undefined) this.#at += name.length
    return name?.toLowerCase()
  }

  #commands(depth: number): SieveNode[] {
    const commands: SieveNode[] = []
    for (;;) {
      this.#space()
      const line = this.#line
      const name = this.#identifier()
      if (name === undefined) return commands
      this.#count(depth)
      const args = this.#arguments()
      const tests = this.#tests(depth)
      if (this.#take('{')) {
        const block = this.#commands(depth + 1)
        if (!this.#take('}')) throw this.#wrong('expecting command or closing brace')
        commands.push({ name, line, arguments: args, tests, block })
      } else {
        if ((name === 'if' || name === 'elsif') && tests.length === 0) throw this.#wrong('missing test')
        if (name === 'if' || name === 'elsif' || name === 'else') throw this.#wrong('missing block')
        if (!this.#take(';')) throw this.#wrong('missing semicolon')
        commands.push({ name, line, arguments: args, tests, block: undefined })
      }
    }
  }

  /** One test, or several in parentheses. */
  #tests(depth: number): SieveNode[] {
    if (!this.#take('(')) {
      const one = this.#test(depth)
      return one === undefined ? [] : [one]
    }
    const tests: SieveNode[] = []
    do {
      const one = this.#test(depth)
      if (one === undefined) throw this.#wrong('missing test')
      tests.push(one)
    } while (this.#take(','))
    if (!this.#take(')')) throw this.#wrong('missing closing paren')
    return tests
  }

  #test(depth: number): SieveNode | undefined {
    this.#space()
    const line = this.#line
    const name = this.#identifier()
    if (name === undefined) return undefined
    this.#count(depth)
    const args = this.#arguments()
    return { name, line, arguments: args, tests: this.#tests(depth + 1), block: undefined }
  }

  #arguments(): Argument[] {
    const args: Argument[] = []
    for (;;) {
      this.#space()
      const line = this.#line
      const char = this.#text[this.#at]
      if (char === ':') {
        this.#at++
        const name = this.#identifier()
        if (name === undefined) throw this.#wrong('syntax error')
        args.push({ is: 'tag', name, line })
      } else if (char !== undefined && /\d/.test(char))
        args.push({ is: 'number', value: this.#number(), line })
      else if (char === '[') args.push({ is: 'strings', values: this.#list(), list: true, line })
      else {
        const value = this.#string()
        if (value === undefined) return args
        args.push({ is: 'strings', values: [value], list: false, line })
      }
    }
  }

  /** RFC 5228 section 2.4.1: K, M and G multiply by powers of 1024. */
  #number(): number {
    const match = /^(\d{1,10})([KMGkmg]?)/.exec(this.#text.slice(this.#at, this.#at + 12))
    this.#at += match?.[0].length ?? 0
    const unit = { k: 10, m: 20, g: 30 }[(match?.[2] ?? '').toLowerCase()] ?? 0
    return Number(match?.[1] ?? 0) * 2 ** unit
  }

  #list(): ByteString[] {
    this.#at++
    const values: ByteString[] = []
    if (this.#take(']')) return values
    do {
      this.#space()
      const value = this.#string()
      if (value === undefined) throw this.#wrong('missing string in string list')
      values.push(value)
    } while (this.#take(','))
    if (!this.#take(']')) throw this.#wrong('missing end of string list')
    return values
  }

  #string(): ByteString | undefined {
    if (this.#text[this.#at] === '"') return this.#quoted()
    const multi = /^text:[ \t]*(?:#[^\n]*)?\r?\n/i.exec(this.#text.slice(this.#at, this.#at + 1000))
    return multi === null ? undefined : this.#multiLine(multi[0].length)
  }

  #quoted(): ByteString {
    let value = ''
    for (this.#at++; ; this.#at++) {
      const char = this.#text[this.#at]
      if (char === undefined) throw this.#wrong('missing end of string')
      if (char === '"') break
      if (char === '\n') this.#line++
      if (char === '\\') {
        this.#at++
        const escaped = this.#text[this.#at] ?? ''
        // Exim manual, "RFC compliance": \0 stands for a zero byte.
        value += escaped === '0' ? '\0' : escaped
      } else if (char !== '\r') value += char
      if (value.length > stringLimit) throw this.#wrong('string is too long')
    }
    this.#at++
    return value
  }

  /** RFC 5228 section 2.4.2: up to a line with a single dot; doubled dots at line starts. */
  #multiLine(header: number): ByteString {
    this.#at += header
    this.#line++
    let value = ''
    for (;;) {
      const end = this.#text.indexOf('\n', this.#at)
      const line = (end < 0 ? this.#text.slice(this.#at) : this.#text.slice(this.#at, end)).replace(/\r$/, '')
      if (line === '.') {
        this.#at += 1
        return value
      }
      if (end < 0) throw this.#wrong('missing end of multi line string')
      value += `${line.startsWith('..') ? line.slice(1) : line}\n`
      if (value.length > stringLimit) throw this.#wrong('string is too long')
      this.#at = end + 1
      this.#line++
    }
  }
}
