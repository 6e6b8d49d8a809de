/** The macro language of SPF records. Source: RFC 7208 section 7. */

/** Section 7.2; `c`, `r` and `t` exist in explanations only. */
export type MacroLetter = 's' | 'l' | 'o' | 'd' | 'i' | 'p' | 'h' | 'c' | 'r' | 't' | 'v'

interface Macro {
  readonly letter: MacroLetter
  /** Written in upper case: the value is percent-encoded. */
  readonly escaped: boolean
  /** How many parts from the right stay; 0: all. */
  readonly parts: number
  readonly reversed: boolean
  readonly delimiters: string
}

/** Literal text and macros in the order they stand. */
export type MacroString = readonly (string | Macro)[]
export interface MacroProblem {
  readonly problem: string
}

/** Only so much of an expanded domain can matter: what is left of it is cut off label by label. */
const MOST_DOMAIN = 4096
const LONGEST_NAME = 253

/** A macro-string. In explanations (`text`) spaces and the letters `c`, `r`, `t` may stand too. */
export function parseMacroString(text: string, use: 'domain' | 'text'): MacroString | MacroProblem {
  return parse(text, use).parts
}

/** A domain-spec: a macro-string that ends with a macro or with a dot and a top label. */
export function parseDomainSpec(text: string): MacroString | MacroProblem {
  const { parts, tail } = parse(text, 'domain')
  if ('problem' in parts) return parts
  if (text === '') return { problem: 'domain missing' }
  return tail === '' || endsWithTopLabel(tail) ? parts : { problem: `"${text}" is not a domain` }
}

function parse(
  text: string,
  use: 'domain' | 'text',
): {
  readonly parts: MacroString | MacroProblem /** Literal text after the last macro. */
  readonly tail: string
} {
  const parts: (string | Macro)[] = []
  let literal = ''
  let tail = ''
  let position = 0
  while (position < text.length) {
    const next = text.indexOf('%', position)
    const end = next < 0 ? text.length : next
    const plain = text.slice(position, end)
    // macro-literal = %x21-24 / %x26-7E; explanations may hold spaces.
    if (!(use === 'text' ? /^[\x20-\x7e]*$/ : /^[\x21-\x7e]*$/).test(plain)) {
      return { parts: { problem: 'character that may not stand in a macro string' }, tail }
    }
    literal += plain
    tail = plain
    if (next < 0) break
    const special = { '%%': '%', '%_': ' ', '%-': '%20' }[text.slice(next, next + 2)]
    tail = ''
    if (special !== undefined) {
      literal += special
      position = next + 2
      continue
    }
    const close = text.indexOf('}', next)
    const macro = close < 0 ? undefined : parseMacro(text.slice(next, close + 1), use)
    if (macro === undefined) return { parts: { problem: `macro syntax in "${shorten(text)}"` }, tail }
    if (literal !== '') parts.push(literal)
    literal = ''
    parts.push(macro)
    position = close + 1
  }
  if (literal !== '') parts.push(literal)
  return { parts, tail }
}

function parseMacro(text: string, use: 'domain' | 'text'): Macro | undefined {
  const match = /^%\{([slodiphcrtv])(\d{0,9})(r?)([-.+,/_=]*)\}$/i.exec(text)
  if (match === null) return undefined
  const [, letter = '', digits = '', reversed = '', delimiters = ''] = match
  const lower = letter.toLowerCase()
  if (use === 'domain' && 'crt'.includes(lower)) return undefined
  // Section 7.3: a number of parts must not be zero.
  if (digits !== '' && Number(digits) === 0) return undefined
  return {
    // The expression lets no other letter through.
    letter: lower as MacroLetter,
    escaped: letter !== lower,
    parts: Number(digits),
    reversed: reversed !== '',
    delimiters: delimiters === '' ? '.' : delimiters,
  }
}

/** toplabel = ( *alphanum ALPHA *alphanum ) / ( 1*alphanum "-" *( alphanum / "-" ) alphanum ) */
function endsWithTopLabel(tail: string): boolean {
  const name = tail.endsWith('.') ? tail.slice(0, -1) : tail
  const dot = name.lastIndexOf('.')
  const label = name.slice(dot + 1)
  if (dot < 0 || !/^[a-z0-9-]+$/i.test(label) || label.startsWith('-') || label.endsWith('-')) return false
  return /[a-z-]/i.test(label)
}

export function usesMacro(parts: MacroString, letter: MacroLetter): boolean {
  return parts.some((part) => typeof part !== 'string' && part.letter === letter)
}

/** Expands to a domain name; one that is too long loses labels on the left: section 7.3. */
export function expandDomain(parts: MacroString, valueOf: (letter: MacroLetter) => string): string {
  let name = ''
  for (const part of parts) {
    name += typeof part === 'string' ? part : valueOfMacro(part, valueOf)
    if (name.length > 2 * MOST_DOMAIN) name = name.slice(-MOST_DOMAIN)
  }
  if (name.endsWith('.')) name = name.slice(0, -1)
  while (name.length > LONGEST_NAME) {
    const dot = name.indexOf('.')
    if (dot < 0) return ''
    name = name.slice(dot + 1)
  }
  return name
}

/** Expands an explanation, up to a length. */
export function expandText(
  parts: MacroString,
  valueOf: (letter: MacroLetter) => string,
  longest: number,
): string {
  let text = ''
  for (const part of parts) {
    text += typeof part === 'string' ? part : valueOfMacro(part, valueOf)
    if (text.length >= longest) return text.slice(0, longest)
  }
  return text
}

/** Section 7.3: split, reverse, keep parts from the right, join with dots, then escape. */
function valueOfMacro(macro: Macro, valueOf: (letter: MacroLetter) => string): string {
  let pieces = splitAt(valueOf(macro.letter), macro.delimiters)
  if (macro.reversed) pieces.reverse()
  if (macro.parts > 0) pieces = pieces.slice(-macro.parts)
  const joined = pieces.join('.')
  return macro.escaped ? percentEncode(joined) : joined
}

function splitAt(value: string, delimiters: string): string[] {
  const pieces: string[] = []
  let piece = ''
  for (const character of value) {
    if (delimiters.includes(character)) {
      pieces.push(piece)
      piece = ''
    } else piece += character
  }
  pieces.push(piece)
  return pieces
}

/** All but the unreserved characters of RFC 3986; values hold bytes. */
function percentEncode(value: string): string {
  return value.replaceAll(
    /[^A-Za-z0-9._~-]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}...` : text
}
