/**
 * Reads the syntax of expansions: names, braces, white space, and what an item, operator or condition needs.
 * A fatal fault ends the reading: the functions then give undefined and `fault` tells.
 * Source: Exim manual, "String expansions".
 */
import { nearest } from '../../base/diagnostic.ts'
import type { ByteString } from '../../base/text.ts'
import type { Branches, ConditionNode, Fault, Stretch, Template } from './tree.ts'

/** How the parser's parts call each other; filled in by parse.ts. */
export interface Grammar {
  /** Text up to an unprotected closing brace (not consumed) or the end. */
  template(reader: Reader, inBraces: boolean): Template | undefined
  condition(reader: Reader): ConditionNode | undefined
  /** Text up to a closing brace, escapes replaced, dollars left. */
  raw(reader: Reader): ByteString | undefined
}

const deepest = 200

/** Unknown names of one text for which the nearest right one is looked up. */
const mostSuggestions = 10

export class Reader {
  readonly text: ByteString
  readonly grammar: Grammar
  position = 0
  depth = 0
  /** The fault that ended the reading. */
  fault: Fault | undefined
  /** A header's name took in a closing brace, maybe because its colon is missing. */
  headerWithBrace: Stretch | undefined
  /** A `\N` that no other one closes. */
  openLiteral: Stretch | undefined
  /** Faults after which reading went on: unknown variables. */
  readonly minor: Fault[] = []

  constructor(text: ByteString, grammar: Grammar) {
    this.text = text
    this.grammar = grammar
  }

  fail(fault: Omit<Fault, 'start' | 'end'> & { start?: number; end?: number }): undefined {
    const start = fault.start ?? this.position
    this.fault ??= { ...fault, start, end: Math.max(fault.end ?? start + 1, start + 1) }
    return undefined
  }

  syntax(message: string, start?: number, end?: number, help?: string): undefined {
    return this.fail({
      code: 'expansion-syntax',
      message,
      help,
      ...(start === undefined ? {} : { start }),
      ...(end === undefined ? {} : { end }),
    })
  }

  unknown(what: string, message: string, start: number, end: number, names: Iterable<string>): Fault {
    // A text made of unknown names would keep us busy for seconds.
    const near = this.minor.length < mostSuggestions ? nearest(this.text.slice(start, end), names) : undefined
    return {
      code: `${what}-unknown`,
      message,
      help: near === undefined ? undefined : `did you mean "${near}"?`,
      start,
      end: Math.max(end, start + 1),
    }
  }

  peek(): string {
    return this.text.charAt(this.position)
  }

  skipSpace(): void {
    while (isSpace(this.text.charCodeAt(this.position))) this.position++
  }

  /** Letters, digits and underscores. */
  word(): string {
    const start = this.position
    while (isWord(this.text.charCodeAt(this.position))) this.position++
    return this.text.slice(start, this.position)
  }

  /** What stands from a place to the end, for Exim's messages. */
  rest(from: number = this.position): ByteString {
    return this.text.slice(from)
  }

  /** After the opening brace: a template and its closing brace. */
  braced(open: number, unclosed?: string): Template | undefined {
    if (++this.depth > deepest) return this.syntax('expansion nested too deeply', open)
    this.position = open + 1
    const template = this.grammar.template(this, true)
    if (template === undefined) return undefined
    this.depth--
    if (this.peek() !== '}') {
      return this.unclosed(open, unclosed)
    }
    this.position++
    return template
  }

  /** A condition that is part of something: faults about it say so, as Exim's do. */
  conditionInside(where: string): ConditionNode | undefined {
    const before = this.minor.length
    const condition = this.grammar.condition(this)
    this.tellWhere(where, before)
    return condition
  }

  private tellWhere(where: string, firstMinor: number): void {
    const told = (fault: Fault): Fault => ({ ...fault, message: `${fault.message} inside ${where}` })
    if (this.fault !== undefined) this.fault = told(this.fault)
    for (let i = firstMinor; i < this.minor.length; i++) {
      const fault = this.minor[i]
      if (fault?.stops === true) this.minor[i] = told(fault)
    }
  }

  /** The closing brace of the whole item. */
  close(message: string, open: number): boolean {
    this.skipSpace()
    if (this.peek() === '}') {
      this.position++
      return true
    }
    this.fail({
      code: 'expansion-brace',
      message,
      also: [{ start: open, end: open + 2, says: 'the item begins here' }],
    })
    return false
  }

  /**
   * `{...}{...}` up to `most`, then the closing brace of the item.
   * Exim counts them and names the item: "Not enough arguments for 'sg' (min is 3)".
   */
  argumentsOf(name: string, least: number, most: number, open: number): Template[] | undefined {
    const list: Template[] = []
    for (;;) {
      this.skipSpace()
      if (list.length === most || this.peek() !== '{') break
      const one = this.braced(this.position)
      if (one === undefined) return undefined
      list.push(one)
    }
    if (list.length < least) {
      return this.fail({
        code: 'expansion-arguments',
        message: `Not enough arguments for '${name}' (min is ${least})`,
        start: open,
        end: this.position + 1,
      })
    }
    if (this.peek() === '}') {
      this.position++
      return list
    }
    return this.peek() === '{'
      ? this.fail({
          code: 'expansion-arguments',
          message: `Too many arguments for '${name}' (max is ${most})`,
        })
      : this.fail({
          code: 'expansion-brace',
          message: `missing '}' after '${name}'`,
          also: [{ start: open, end: open + 2, says: 'the item begins here' }],
        })
  }

  /** One argument in braces that must be there. */
  argument(message: string): Template | undefined {
    this.skipSpace()
    if (this.peek() !== '{') return this.fail({ code: 'expansion-arguments', message })
    return this.braced(this.position)
  }

  /** An argument that is part of something: faults in it say so, as Exim's do. */
  argumentInside(message: string, where: string): Template | undefined {
    this.skipSpace()
    if (this.peek() !== '{') return this.fail({ code: 'expansion-arguments', message })
    const before = this.minor.length
    const template = this.braced(this.position)
    this.tellWhere(where, before)
    return template
  }

  /** An argument in which `$` has no meaning; escapes have. */
  rawArgument(message: string): ByteString | undefined {
    this.skipSpace()
    if (this.peek() !== '{') return this.fail({ code: 'expansion-arguments', message })
    const open = this.position++
    const raw = this.grammar.raw(this)
    if (raw === undefined) return undefined
    if (this.peek() !== '}') {
      return this.unclosed(open)
    }
    this.position++
    return raw
  }

  private unclosed(open: number, said: string = 'missing } at end of string'): undefined {
    const hint = this.headerWithBrace ? ' - could be header name not terminated by colon' : ''
    return this.fail({
      code: 'expansion-brace',
      message: `${said}${hint}`,
      start: Math.max(0, this.text.length - 1),
      also: [{ start: open, end: open + 1, says: 'this brace is not closed' }, ...this.hints()],
    })
  }

  private hints(): NonNullable<Fault['also']> {
    if (this.openLiteral !== undefined)
      return [{ ...this.openLiteral, says: 'from here on nothing is expanded, as no other \\N ends it' }]
    return this.headerWithBrace === undefined
      ? []
      : [{ ...this.headerWithBrace, says: "this is the header's name: it ends with a colon or a space" }]
  }

  /** `{yes}{no}}`, `{yes}fail}`, `{yes}}` or just `}`. */
  branches(name: string, open: number): Branches | undefined {
    this.skipSpace()
    if (this.peek() === '}') {
      this.position++
      return { yes: undefined, no: undefined }
    }
    if (this.peek() !== '{') {
      return this.yesNo("'yes' part did not start with '{'", open)
    }
    const yes = this.braced(this.position)
    if (yes === undefined) return undefined
    this.skipSpace()
    let no: Template | 'fail' | undefined
    if (this.peek() === '{') {
      no = this.braced(this.position)
      if (no === undefined) return undefined
    } else if (this.peek() !== '}') {
      const start = this.position
      const word = this.word()
      if (word !== 'fail') {
        return this.syntax(`syntax error in "${name}" item - "fail" expected`, start, this.position)
      }
      no = 'fail'
    }
    this.skipSpace()
    if (this.peek() !== '}') {
      return this.yesNo(`did not close with '}'${no === 'fail' ? ' after forcedfail' : ''}`, open)
    }
    this.position++
    return { yes, no }
  }

  /** The end of an item whose branches were read with its arguments: `}` or `fail }`. */
  ending(name: string, open: number, mayFail: boolean): 'fail' | 'end' | undefined {
    let end: 'fail' | 'end' = 'end'
    this.skipSpace()
    if (this.peek() !== '}' && this.peek() !== '{' && this.position < this.text.length) {
      const start = this.position
      if (!mayFail) return this.yesNo("'yes' part did not start with '{'", open)
      if (this.word() !== 'fail') {
        return this.syntax(`syntax error in "${name}" item - "fail" expected`, start, this.position + 1)
      }
      end = 'fail'
      this.skipSpace()
    }
    if (this.peek() !== '}') return this.yesNo("did not close with '}'", open)
    this.position++
    return end
  }

  yesNo(what: string, open: number): undefined {
    return this.fail({
      code: 'expansion-brace',
      message: this.headerWithBrace
        ? 'missing or misplaced { or } - could be header name not terminated by colon'
        : `curly-bracket problem in conditional yes/no parsing: ${what}\n remaining string is '${this.rest()}'`,
      also: [{ start: open, end: open + 2, says: 'the item begins here' }, ...this.hints()],
    })
  }
}

export function isSpace(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13)
}
export function isWord(code: number): boolean {
  return isLetter(code) || isDigit(code) || code === 95
}
export function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}
export function isLetter(code: number): boolean {
  const lower = code | 32
  return lower >= 97 && lower <= 122
}
