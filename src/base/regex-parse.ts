/**
 * Perl's regular expressions to a tree. Errors carry PCRE's sentence and the offset.
 * Source: perlre; pcre2pattern(3).
 */
import {
  caseFolded,
  fixedLength,
  inverted,
  setOf,
  type ByteSet,
  type RegexNode,
  type RegexTree,
} from './regex-tree.ts'

export interface RegexError {
  readonly error: string
  readonly at: number
}

const digits = setOf([48, 57])
const blanks = setOf([9, 9], [32, 32])
const spaces = setOf([9, 13], [32, 32])
const words = setOf([48, 57], [65, 90], [95, 95], [97, 122])
const vertical = setOf([10, 13], [0x85, 0x85])

const classEscapes: Readonly<Record<string, ByteSet>> = {
  d: digits,
  D: inverted(digits),
  h: setOf([9, 9], [32, 32], [0xa0, 0xa0]),
  H: inverted(setOf([9, 9], [32, 32], [0xa0, 0xa0])),
  s: spaces,
  S: inverted(spaces),
  v: vertical,
  V: inverted(vertical),
  w: words,
  W: inverted(words),
  N: inverted(setOf([10, 10])),
}

const named: Readonly<Record<string, ByteSet>> = {
  alnum: setOf([48, 57], [65, 90], [97, 122]),
  alpha: setOf([65, 90], [97, 122]),
  ascii: setOf([0, 127]),
  blank: blanks,
  cntrl: setOf([0, 31], [127, 127]),
  digit: digits,
  graph: setOf([33, 126]),
  lower: setOf([97, 122]),
  print: setOf([32, 126]),
  punct: setOf([33, 47], [58, 64], [91, 96], [123, 126]),
  space: spaces,
  upper: setOf([65, 90]),
  word: words,
  xdigit: setOf([48, 57], [65, 70], [97, 102]),
}

const controls: Readonly<Record<string, number>> = { a: 7, e: 27, f: 12, n: 10, r: 13, t: 9 }

interface Flags {
  readonly caseless: boolean
  readonly dotAll: boolean
  readonly multiline: boolean
  readonly extended: boolean
  readonly ungreedy: boolean
}

const deepest = 150
const largestRepeat = 65535

/** Thrown inside this file only, and caught in it: a syntax error ends the reading at once. */
class SyntaxFault extends Error {
  readonly at: number
  constructor(message: string, at: number) {
    super(message)
    this.at = at
  }
}

export function parseRegex(pattern: string, caseless: boolean): RegexTree | RegexError {
  const parser = new Parser(pattern)
  const flags = { caseless, dotAll: false, multiline: false, extended: false, ungreedy: false }
  try {
    const root = parser.whole(flags)
    return { root, groups: parser.groups }
  } catch (fault) {
    if (fault instanceof SyntaxFault) return { error: fault.message, at: fault.at }
    throw fault
  }
}

class Parser {
  private readonly text: string
  private at = 0
  private depth = 0
  groups = 0
  private readonly names = new Map<string, number>()
  private readonly references: { index: number; at: number }[] = []
  private readonly namedReferences: { name: string; at: number; node: { index: number } }[] = []

  constructor(text: string) {
    this.text = text
  }

  whole(flags: Flags): RegexNode {
    const root = this.choice(flags)
    if (this.at < this.text.length) throw new SyntaxFault('unmatched closing parenthesis', this.at)
    for (const { index, at } of this.references) {
      if (index > this.groups) throw new SyntaxFault('reference to non-existent subpattern', at)
    }
    for (const { name, at, node } of this.namedReferences) {
      const index = this.names.get(name)
      if (index === undefined) throw new SyntaxFault('reference to non-existent subpattern', at)
      node.index = index
    }
    return root
  }

  private peek(): string {
    return this.text.charAt(this.at)
  }

  /** Alternatives up to a closing parenthesis or the end. Flags set inside last to the end of the group. */
  private choice(start: Flags): RegexNode {
    if (++this.depth > deepest) throw new SyntaxFault('parentheses are too deeply nested', this.at)
    let flags = start
    const items: RegexNode[] = []
    let sequence: RegexNode[] = []
    const close = () =>
      items.push(sequence.length === 1 ? (sequence[0] ?? empty) : { is: 'sequence', items: sequence })
    while (this.at < this.text.length && this.peek() !== ')') {
      if (this.peek() === '|') {
        this.at++
        close()
        sequence = []
        continue
      }
      if (flags.extended && this.skipExtended()) continue
      const changed = this.inlineFlags(flags)
      if (changed !== undefined) {
        flags = changed
        continue
      }
      const atom = this.atom(flags)
      if (atom !== undefined) sequence.push(this.quantified(atom, flags))
    }
    close()
    this.depth--
    return items.length === 1 ? (items[0] ?? empty) : { is: 'choice', items }
  }

  private skipExtended(): boolean {
    const match = /^(?:[\s]+|#[^\n]*\n?)/.exec(this.text.slice(this.at))
    if (match === null) return false
    this.at += match[0].length
    return true
  }

  /** `(?i)`, `(?i-s)`, `(?^)`; undefined when there are none here. */
  private inlineFlags(flags: Flags): Flags | undefined {
    const match = /^\(\?(\^?[imsxnUJ]*(?:-[imsxnUJ]*)?)\)/.exec(this.text.slice(this.at, this.at + 30))
    if (match === null || match[1] === '') {
      if (match === null) return undefined
    }
    this.at += match[0].length
    return withFlags(flags, match[1] ?? '')
  }

  private quantified(atom: RegexNode, flags: Flags): RegexNode {
    if (flags.extended) while (this.skipExtended());
    const range = this.quantifier()
    if (range === undefined) return atom
    const mark = this.peek()
    let mode: 'greedy' | 'lazy' | 'possessive' = flags.ungreedy ? 'lazy' : 'greedy'
    if (mark === '?') mode = flags.ungreedy ? 'greedy' : 'lazy'
    if (mark === '+') mode = 'possessive'
    if (mark === '?' || mark === '+') this.at++
    if (flags.extended) while (this.skipExtended());
    if (this.quantifier() !== undefined) {
      throw new SyntaxFault('quantifier does not follow a repeatable item', this.at - 1)
    }
    return { is: 'repeat', body: atom, ...range, mode }
  }

  private quantifier(): { least: number; most: number } | undefined {
    const match = /^(?:[*+?]|\{(\d+)(?:(,)(\d*))?\})/.exec(this.text.slice(this.at, this.at + 20))
    if (match === null) return undefined
    const [whole, low, comma, high] = match
    const start = this.at
    this.at += whole.length
    if (whole === '*') return { least: 0, most: Number.POSITIVE_INFINITY }
    if (whole === '+') return { least: 1, most: Number.POSITIVE_INFINITY }
    if (whole === '?') return { least: 0, most: 1 }
    const least = Number(low)
    const most = comma === undefined ? least : high === '' ? Number.POSITIVE_INFINITY : Number(high)
    if (least > largestRepeat || (most > largestRepeat && most !== Number.POSITIVE_INFINITY)) {
      throw new SyntaxFault('number too big in {} quantifier', start + whole.length - 1)
    }
    if (most < least) throw new SyntaxFault('numbers out of order in {} quantifier', start + whole.length - 1)
    return { least, most }
  }

  private atom(flags: Flags): RegexNode | undefined {
    const char = this.peek()
    switch (char) {
      case '(':
        return this.group(flags)
      case '[':
        return this.bracketClass(flags)
      case '.':
        this.at++
        return { is: 'set', set: flags.dotAll ? setOf([0, 255]) : inverted(setOf([10, 10])) }
      case '^':
        this.at++
        return { is: 'assert', what: flags.multiline ? 'line start' : 'start' }
      case '$':
        this.at++
        return { is: 'assert', what: flags.multiline ? 'line end' : 'final' }
      case '\\':
        return this.escape(flags)
      case '*':
      case '+':
      case '?':
        throw new SyntaxFault('quantifier does not follow a repeatable item', this.at)
      default:
        this.at++
        return literal(char, flags)
    }
  }

  private group(flags: Flags): RegexNode | undefined {
    const open = this.at
    this.at++
    if (this.text.startsWith('?#', this.at)) {
      const end = this.text.indexOf(')', this.at)
      if (end < 0) throw new SyntaxFault('missing ) after (?# comment', this.text.length)
      this.at = end + 1
      return undefined
    }
    if (this.peek() === '*') throw new SyntaxFault('(*VERB) not recognized or malformed', this.at + 1)
    if (this.peek() !== '?') return this.capture(flags, undefined)
    this.at++
    return this.special(flags, open)
  }

  private capture(flags: Flags, name: string | undefined): RegexNode {
    const index = ++this.groups
    if (name !== undefined) this.names.set(name, index)
    const body = this.choice(flags)
    this.close()
    return { is: 'capture', index, body }
  }

  private close(): void {
    if (this.peek() !== ')') throw new SyntaxFault('missing closing parenthesis', this.at)
    this.at++
  }

  private inside(flags: Flags): RegexNode {
    const body = this.choice(flags)
    this.close()
    return body
  }

  /** After `(?`. */
  private special(flags: Flags, open: number): RegexNode {
    const rest = this.text.slice(this.at, this.at + 80)
    const match =
      /^(?:(:)|(\|)|(>)|(=)|(!)|(<=)|(<!)|P?<([A-Za-z_]\w*)>|'([A-Za-z_]\w*)'|P=([A-Za-z_]\w*)\)|(\()|(\^?[imsxnUJ]*(?:-[imsxnUJ]+)?):)/.exec(
        rest,
      )
    if (match === null) {
      if (/^(?:R|[+-]?\d|&|P>)/.test(rest)) {
        throw new SyntaxFault(
          'recursion into groups is not supported; write the group out again, as deep as it is needed',
          this.at,
        )
      }
      throw new SyntaxFault('unrecognized character after (? or (?-', this.at)
    }
    const [
      ,
      plain,
      reset,
      atomic,
      ahead,
      notAhead,
      behind,
      notBehind,
      name,
      quoted,
      reference,
      condition,
      inline,
    ] = match
    if (reset !== undefined) throw new SyntaxFault('(?| is not supported; number the groups instead', open)
    if (condition !== undefined) return this.condition(flags, open)
    this.at += match[0].length
    if (plain !== undefined) return this.inside(flags)
    if (atomic !== undefined) return { is: 'atomic', body: this.inside(flags) }
    if (ahead !== undefined || notAhead !== undefined) {
      return { is: 'look', ahead: true, negative: notAhead !== undefined, body: this.inside(flags) }
    }
    if (behind !== undefined || notBehind !== undefined)
      return this.lookBehind(flags, notBehind !== undefined, open)
    if (reference !== undefined) return this.namedReference(reference, flags)
    if (name !== undefined || quoted !== undefined) return this.capture(flags, name ?? quoted)
    return this.inside(withFlags(flags, inline ?? ''))
  }

  private lookBehind(flags: Flags, negative: boolean, open: number): RegexNode {
    const body = this.inside(flags)
    const parts = body.is === 'choice' ? body.items : [body]
    if (parts.some((part) => fixedLength(part) === undefined)) {
      throw new SyntaxFault('lookbehind assertion is not fixed length', open)
    }
    return { is: 'look', ahead: false, negative, body }
  }

  private namedReference(name: string, flags: Flags): RegexNode {
    const node = { is: 'reference' as const, index: 0, caseless: flags.caseless }
    this.namedReferences.push({ name, at: this.at, node })
    return node
  }

  /** `(?(1)yes|no)`, `(?(<name>)...)`, `(?(?=...)...)`. */
  private condition(flags: Flags, open: number): RegexNode {
    const group = /^\((?:(\d+)|<([A-Za-z_]\w*)>|'([A-Za-z_]\w*)'|([A-Za-z_]\w*))\)/.exec(
      this.text.slice(this.at, this.at + 60),
    )
    let test: { group: number } | { look: RegexNode }
    if (group !== null) {
      this.at += group[0].length
      const name = group[2] ?? group[3] ?? group[4]
      if (name === 'R' || name === 'DEFINE')
        throw new SyntaxFault(
          'recursion into groups is not supported; write the group out again, as deep as it is needed',
          open,
        )
      const number = name === undefined ? Number(group[1]) : (this.names.get(name) ?? 0)
      if (number === 0) throw new SyntaxFault('reference to non-existent subpattern', open)
      this.references.push({ index: number, at: open })
      test = { group: number }
    } else {
      const look = this.group(flags)
      if (look?.is !== 'look') throw new SyntaxFault('assertion expected after (?( or (?(?C)', open + 3)
      test = { look }
    }
    const body = this.inside(flags)
    const parts = body.is === 'choice' ? body.items : [body]
    if (parts.length > 2)
      throw new SyntaxFault('conditional subpattern contains more than two branches', this.at)
    return { is: 'condition', test, yes: parts[0] ?? empty, no: parts[1] ?? empty }
  }

  private escape(flags: Flags): RegexNode | undefined {
    const start = this.at
    const char = this.text.charAt(start + 1)
    this.at += 2
    switch (char) {
      case '':
        throw new SyntaxFault('\\ at end of pattern', this.text.length)
      case 'A':
      case 'G':
        return { is: 'assert', what: 'start' }
      case 'z':
        return { is: 'assert', what: 'end' }
      case 'Z':
        return { is: 'assert', what: 'final' }
      case 'b':
        return { is: 'assert', what: 'word' }
      case 'B':
        return { is: 'assert', what: 'not word' }
      case 'K':
        return { is: 'keep' }
      case 'Q':
        return this.quoted(flags)
      case 'E':
        return undefined
      case 'R':
        return newline
      case 'k':
      case 'g':
        return this.writtenReference(start, flags)
      default:
        break
    }
    const set = classEscapes[char]
    if (set !== undefined) return { is: 'set', set }
    if (char >= '1' && char <= '9') {
      const number = /^\d+/.exec(this.text.slice(start + 1, start + 4))?.[0] ?? ''
      // \10 and up are references only when there are so many groups; with a leading 1 to 7 octal otherwise.
      if (Number(number) < 10 || Number(number) <= this.groups) {
        this.at = start + 1 + number.length
        this.references.push({ index: Number(number), at: start + 1 })
        return { is: 'reference', index: Number(number), caseless: flags.caseless }
      }
    }
    this.at = start + 1
    return literal(String.fromCharCode(this.charEscape(start)), flags)
  }

  private writtenReference(start: number, flags: Flags): RegexNode {
    const match = /^\\(?:k(?:<(\w+)>|'(\w+)'|\{(\w+)\})|g(?:(\d+)|\{(-?\d+)\}|\{([A-Za-z_]\w*)\}))/.exec(
      this.text.slice(start, start + 60),
    )
    if (match === null)
      throw new SyntaxFault('\\k is not followed by a braced, angle-bracketed, or quoted name', start + 2)
    this.at = start + match[0].length
    const [, angle, quoted, braced, plain, number, name] = match
    const word = angle ?? quoted ?? braced ?? name
    if (word !== undefined) return this.namedReference(word, flags)
    const given = Number(plain ?? number)
    const index = given < 0 ? this.groups + 1 + given : given
    if (index < 1) throw new SyntaxFault('reference to non-existent subpattern', this.at)
    this.references.push({ index, at: this.at })
    return { is: 'reference', index, caseless: flags.caseless }
  }

  private quoted(flags: Flags): RegexNode | undefined {
    const end = this.text.indexOf('\\E', this.at)
    const body = this.text.slice(this.at, end < 0 ? undefined : end)
    this.at = end < 0 ? this.text.length : end + 2
    if (body === '') return undefined
    return { is: 'sequence', items: body.split('').map((char) => literal(char, flags)) }
  }

  /** The byte that an escape stands for; `at` is on the character after the backslash. */
  private charEscape(start: number): number {
    const rest = this.text.slice(this.at, this.at + 12)
    const match =
      /^(?:x\{([0-9A-Fa-f]{1,4})\}|x([0-9A-Fa-f]{0,2})|o\{([0-7]{1,4})\}|(0[0-7]{0,2}|[1-7][0-7]{0,2})|c([ -~])|([\s\S]))/.exec(
        rest,
      )
    const [whole = '', braced, hex, octalBraced, octal, control, char = ''] = match ?? []
    this.at += whole.length
    if (braced !== undefined) return this.byte(Number.parseInt(braced, 16), start)
    if (hex !== undefined) return hex === '' ? 0 : Number.parseInt(hex, 16)
    if (octalBraced !== undefined) return this.byte(Number.parseInt(octalBraced, 8), start)
    if (octal !== undefined) return this.byte(Number.parseInt(octal, 8), start)
    if (control !== undefined) return control.toUpperCase().charCodeAt(0) ^ 64
    const known = controls[char]
    if (known !== undefined) return known
    if (/[A-Za-z]/.test(char)) throw new SyntaxFault('unrecognized character follows \\', this.at - 1)
    return char.charCodeAt(0)
  }

  private byte(value: number, at: number): number {
    if (value > 255) throw new SyntaxFault('character code point value in \\x{} or \\o{} is too large', at)
    return value
  }

  private bracketClass(flags: Flags): RegexNode {
    const open = this.at
    this.at++
    const negative = this.peek() === '^'
    if (negative) this.at++
    const set = new Uint8Array(256)
    const first = this.at
    for (;;) {
      if (this.at >= this.text.length) {
        throw new SyntaxFault('missing terminating ] for character class', this.text.length)
      }
      if (this.peek() === ']' && this.at > first) break
      this.classItem(set, open)
    }
    this.at++
    const folded = flags.caseless ? caseFolded(set) : set
    return { is: 'set', set: negative ? inverted(folded) : folded }
  }

  /** One member of a class, or a range. */
  private classItem(set: ByteSet, open: number): void {
    const posix = /^\[:(\^?)([a-z]+):\]/.exec(this.text.slice(this.at, this.at + 20))
    if (posix !== null) {
      const members = named[posix[2] ?? '']
      if (members === undefined) throw new SyntaxFault('unknown POSIX class name', this.at + 2)
      this.at += posix[0].length
      addAll(set, posix[1] === '^' ? inverted(members) : members)
      return
    }
    const from = this.classMember()
    if (typeof from !== 'number') return addAll(set, from)
    if (this.peek() === '-' && this.text.charAt(this.at + 1) !== ']' && this.at + 1 < this.text.length) {
      const hyphen = this.at
      this.at++
      const to = this.classMember()
      if (typeof to !== 'number') {
        this.at = hyphen
      } else {
        if (to < from) throw new SyntaxFault('range out of order in character class', this.at - 1)
        set.fill(1, from, to + 1)
        return
      }
    }
    set[from] = 1
    void open
  }

  private classMember(): number | ByteSet {
    const start = this.at
    const char = this.peek()
    if (char !== '\\') {
      this.at++
      return char.charCodeAt(0)
    }
    const next = this.text.charAt(start + 1)
    if (next === '') throw new SyntaxFault('\\ at end of pattern', this.text.length)
    const set = next === 'N' ? undefined : classEscapes[next]
    if (set !== undefined) {
      this.at += 2
      return set
    }
    if (next === 'b') {
      this.at += 2
      return 8
    }
    this.at = start + 1
    return this.charEscape(start)
  }
}

const empty: RegexNode = { is: 'empty' }
const newline: RegexNode = {
  is: 'atomic',
  body: {
    is: 'choice',
    items: [
      {
        is: 'sequence',
        items: [
          { is: 'set', set: setOf([13, 13]) },
          { is: 'set', set: setOf([10, 10]) },
        ],
      },
      { is: 'set', set: vertical },
    ],
  },
}

function literal(char: string, flags: Flags): RegexNode {
  const code = char.charCodeAt(0) & 255
  const set = setOf([code, code])
  return { is: 'set', set: flags.caseless ? caseFolded(set) : set }
}

function addAll(set: ByteSet, more: ByteSet): void {
  more.forEach((member, code) => {
    if (member === 1) set[code] = 1
  })
}

function withFlags(flags: Flags, letters: string): Flags {
  const start = letters.startsWith('^')
    ? { caseless: false, dotAll: false, multiline: false, extended: false, ungreedy: flags.ungreedy }
    : { ...flags }
  const [on = '', off = ''] = letters.replace('^', '').split('-')
  const set = (word: string, value: boolean) => {
    if (word.includes('i')) start.caseless = value
    if (word.includes('s')) start.dotAll = value
    if (word.includes('m')) start.multiline = value
    if (word.includes('x')) start.extended = value
    if (word.includes('U')) start.ungreedy = value
  }
  set(on, true)
  set(off, false)
  return start
}
