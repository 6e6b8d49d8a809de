/**
 * Puts together the statement that is sent: what came from outside stays inside its string literal.
 *
 * Exim trusts that a quoted piece stands where its quoting counts. We read the statement as the server will: a
 * piece that would end its literal, or that stands outside one and is no number, is refused. Quoting is done before
 * the server is known, so it is adapted to the server's rules here.
 */
import { textOf, toBytes, type ByteString, type TaintSpan, type Text } from '../../base/text.ts'

/** How a server reads literals. */
export interface SqlRules {
  readonly type: 'pgsql' | 'mysql' | 'sqlite'
  /** Whether a backslash escapes in plain '...': not with standard_conforming_strings or NO_BACKSLASH_ESCAPES. */
  readonly backslashes: boolean
  /** Whether "..." is a string: MySQL without ANSI_QUOTES. */
  readonly doubleQuotedStrings: boolean
}

export type Statement =
  | { readonly is: 'statement'; readonly sql: ByteString }
  | { readonly is: 'refused'; readonly message: string }

/** Where the reader stands. */
type Place =
  | { readonly in: 'code' }
  | { readonly in: 'string'; readonly quote: string; readonly backslashes: boolean }
  | { readonly in: 'name'; readonly quote: string }
  | { readonly in: 'line comment' }
  | { readonly in: 'comment'; readonly depth: number }
  | { readonly in: 'dollar'; readonly tag: string }

const code: Place = { in: 'code' }

export function safeStatement(query: Text, rules: SqlRules): Statement {
  const text = textOf(query)
  if (text.includes('\0')) return { is: 'refused', message: `${rules.type}: a query cannot hold a NUL byte` }
  if (typeof query === 'string') return { is: 'statement', sql: query }
  let sql = ''
  let place: Place = code
  let at = 0
  for (const span of query.spans) {
    if (span.quoter !== rules.type) return notQuoted(query.text, span, rules)
    const before = text.slice(at, span.start)
    const read = readOn(place, before, rules)
    sql += before
    place = read.place
    const piece = text.slice(span.start, span.end)
    if (place.in === 'string' && !read.open) {
      const fitting = adapt(piece, place, rules)
      const inside = readOn(place, fitting, rules)
      if (inside.open || inside.left) return leaves(piece, span, rules)
      sql += fitting
    } else if (/^\d{1,18}(?:\.\d{1,18})?$/.test(piece) && (place.in === 'code' || place.in === 'name'))
      sql += piece
    else return outside(piece, span, rules)
    at = span.end
  }
  return { is: 'statement', sql: sql + text.slice(at) }
}

/** The piece as the literal it stands in wants it. */
function adapt(
  piece: ByteString,
  place: { readonly quote: string; readonly backslashes: boolean },
  rules: SqlRules,
): ByteString {
  if (rules.type === 'sqlite' || place.backslashes) return piece
  // Differs from Exim: where backslashes are plain characters, those of the quoting are undone, so that the
  // server sees the value itself.
  const quotes = rules.type === 'pgsql' ? piece.replaceAll("''", "'") : piece
  const value = quotes.replace(
    /\\([\s\S])/g,
    (_, char: string) => ({ n: '\n', t: '\t', r: '\r', b: '\b' })[char] ?? char,
  )
  return value.replaceAll(place.quote, place.quote + place.quote)
}

/** A `$1` in the code of a statement. */
export interface Placeholder {
  readonly start: number
  readonly end: number
  /** From 0. */
  readonly index: number
}

/** Where values belong; `$1` within a string, name or comment is none. */
export function placeholders(sql: ByteString, rules: SqlRules): Placeholder[] {
  const found: Placeholder[] = []
  readOn(code, sql, rules, found)
  return found
}

/**
 * Writes values into a statement as literals that need no quoting: hexadecimal ones.
 * @param literal how the server takes bytes in hexadecimal as text
 */
export function bindAsLiterals(
  sql: ByteString,
  values: readonly ByteString[],
  rules: SqlRules,
  literal: (hex: string) => string,
): Statement {
  let bound = ''
  let at = 0
  for (const { start, end, index } of placeholders(sql, rules)) {
    const value = values[index]
    if (value === undefined) return missingParameter(index, rules)
    bound += sql.slice(at, start) + literal(toBytes(value).toString('hex'))
    at = end
  }
  return { is: 'statement', sql: bound + sql.slice(at) }
}

export function missingParameter(index: number, { type }: SqlRules): Statement {
  return { is: 'refused', message: `${type}: the query has $${index + 1}, but there is no such parameter` }
}

interface Reading {
  readonly place: Place
  /** The text ends in the middle of an escape or of a pair of quotes. */
  readonly open: boolean
  /** A literal was left on the way. */
  readonly left: boolean
}

/** Reads text from a place on. */
function readOn(from: Place, text: ByteString, rules: SqlRules, found?: Placeholder[]): Reading {
  let place = from
  let left = false
  let i = 0
  while (i < text.length) {
    const char = text.charAt(i)
    const two = text.slice(i, i + 2)
    switch (place.in) {
      case 'string':
        if (place.backslashes && char === '\\') {
          if (i + 1 === text.length) return { place, open: true, left }
          i++
        } else if (char === place.quote) {
          if (text.charAt(i + 1) === place.quote) i++
          else {
            place = code
            left = true
          }
        }
        break
      case 'name':
        if (char === place.quote) {
          if (text.charAt(i + 1) === place.quote) i++
          else place = code
        }
        break
      case 'line comment':
        if (char === '\n') place = code
        break
      case 'comment':
        if (two === '*/' || (two === '/*' && rules.type === 'pgsql')) {
          // Comments of PostgreSQL nest.
          const depth: number = place.depth + (two === '/*' ? 1 : -1)
          place = depth === 0 ? code : { in: 'comment', depth }
          i++
        }
        break
      case 'dollar':
        if (text.startsWith(place.tag, i)) {
          i += place.tag.length - 1
          place = code
        }
        break
      case 'code': {
        const number =
          char === '$' && found !== undefined && !/[\w$]/.test(text.charAt(i - 1))
            ? /^\$(\d{1,3})/.exec(text.slice(i, i + 4))
            : null
        if (number !== null)
          found?.push({ start: i, end: i + number[0].length, index: Number(number[1]) - 1 })
        const next = enter(text, i, rules)
        place = next.place
        i += next.length - 1
      }
    }
    i++
  }
  return { place, open: false, left }
}

/** What begins at `i` in code. */
function enter(
  text: ByteString,
  i: number,
  rules: SqlRules,
): { readonly place: Place; readonly length: number } {
  const char = text.charAt(i)
  const two = text.slice(i, i + 2)
  if (char === "'") {
    const escapes =
      rules.type === 'pgsql' && /(?:^|[^A-Za-z0-9_$])[eE]$/.test(text.slice(Math.max(0, i - 2), i))
    return { place: { in: 'string', quote: "'", backslashes: escapes || rules.backslashes }, length: 1 }
  }
  if (char === '"' && rules.doubleQuotedStrings)
    return { place: { in: 'string', quote: '"', backslashes: rules.backslashes }, length: 1 }
  if (char === '"' || (char === '`' && rules.type !== 'pgsql'))
    return { place: { in: 'name', quote: char }, length: 1 }
  if (char === '[' && rules.type === 'sqlite') return { place: { in: 'name', quote: ']' }, length: 1 }
  if (two === '--' || (char === '#' && rules.type === 'mysql'))
    return { place: { in: 'line comment' }, length: 1 }
  if (two === '/*') return { place: { in: 'comment', depth: 1 }, length: 2 }
  if (char === '$' && rules.type === 'pgsql') {
    const tag = /^\$(?:[A-Za-z_][A-Za-z0-9_]*)?\$/.exec(text.slice(i, i + 66))?.[0]
    if (tag !== undefined) return { place: { in: 'dollar', tag }, length: tag.length }
  }
  return { place: code, length: 1 }
}

/** Exim's sentence, and what to write. */
function notQuoted(query: ByteString, span: TaintSpan, { type }: SqlRules): Statement {
  const inside = span.origin.startsWith('$') ? span.origin : 'what came from outside'
  const write = span.origin.startsWith('$') ? `\${quote_${type}:${span.origin}}` : `\${quote_${type}:...}`
  return {
    is: 'refused',
    message: `tainted search query is not properly quoted: ${query} (${inside} must be written as '${write}')`,
  }
}

function leaves(piece: ByteString, span: TaintSpan, { type }: SqlRules): Statement {
  return {
    is: 'refused',
    message: `tainted search query is not properly quoted: "${piece}" from ${span.origin} would end its string (apply quote_${type} last)`,
  }
}

function outside(piece: ByteString, span: TaintSpan, { type }: SqlRules): Statement {
  return {
    is: 'refused',
    message: `tainted search query is not properly quoted: "${piece}" from ${span.origin} stands outside '...', where quote_${type} does not protect`,
  }
}
