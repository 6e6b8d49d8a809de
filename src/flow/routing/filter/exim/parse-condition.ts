/** Conditions of an Exim filter. Source: Exim manual, "Obeying commands conditionally" and the sections after it. */
import type { ByteString } from '../../../../base/text.ts'
import { type FilterReader, FilterSyntaxError } from './reader.ts'
import { type Condition, type StringTest } from './tree.ts'

/** Parentheses and nots within one another. */
const depthLimit = 100

/** Up to and with `then`. */
export function parseIf(reader: FilterReader): Condition {
  return parseAlternatives(reader, 'then', 0)
}

/** `and` binds closer than `or`. */
function parseAlternatives(reader: FilterReader, until: 'then' | ')', depth: number): Condition {
  if (depth > depthLimit)
    throw new FilterSyntaxError(`conditions are nested too deeply near line ${reader.line}`)
  let alternatives: Condition | undefined
  let conjunction = parseOne(reader, depth)
  for (;;) {
    const connective = connectiveOf(reader, until)
    if (connective === 'end') {
      return alternatives === undefined ? conjunction : { is: 'or', left: alternatives, right: conjunction }
    }
    if (connective === 'and') {
      conjunction = { is: 'and', left: conjunction, right: parseOne(reader, depth) }
      continue
    }
    alternatives =
      alternatives === undefined ? conjunction : { is: 'or', left: alternatives, right: conjunction }
    conjunction = parseOne(reader, depth)
  }
}

function connectiveOf(reader: FilterReader, until: 'then' | ')'): 'and' | 'or' | 'end' {
  if (reader.next === ')') {
    if (until !== ')') throw new FilterSyntaxError(`unexpected ")" in line ${reader.line} of filter file`)
    reader.takeChar()
    return 'end'
  }
  if (reader.next === '(') throw new FilterSyntaxError(`unexpected "(" in line ${reader.line} of filter file`)
  const { line } = reader
  const word = reader.word(false)
  if (word === 'and' || word === 'or') return word
  if (word === 'then' && until === 'then') return 'end'
  throw new FilterSyntaxError(
    `"and" or "or" or "${until}" expected near line ${word === '' ? reader.line : line} of filter file, but found "${word}"`,
  )
}

function parseOne(reader: FilterReader, depth: number): Condition {
  if (reader.next === '(') {
    reader.takeChar()
    return parseAlternatives(reader, ')', depth + 1)
  }
  if (reader.next === ')') throw new FilterSyntaxError(`unexpected ")" in line ${reader.line} of filter file`)
  if (reader.atEnd) throw new FilterSyntaxError('"then" missing at end of filter file')
  const { line, next } = reader
  const left = reader.value(true)
  if (next !== '"') {
    if (left === 'not') {
      if (depth > depthLimit)
        throw new FilterSyntaxError(`conditions are nested too deeply near line ${line}`)
      return negate(parseOne(reader, depth + 1))
    }
    if (left === 'then') throw new FilterSyntaxError(`unexpected "then" near line ${line} of filter file`)
    const named = namedCondition(left, reader, depth)
    if (named !== undefined) return named
  }
  return parseTest(left, reader)
}

/** A `not` turns the test itself round, as Exim shows it; groups keep it before them. */
function negate(inner: Condition): Condition {
  if (inner.is === 'and' || inner.is === 'or' || inner.is === 'not') return { is: 'not', inner }
  return { ...inner, negated: !inner.negated }
}

function namedCondition(word: ByteString, reader: FilterReader, depth: number): Condition | undefined {
  switch (word) {
    case 'delivered':
    case 'error_message':
    case 'first_delivery':
    case 'manually_thawed':
      return { is: 'fact', fact: word, negated: false }
    case 'personal':
      return { is: 'personal', aliases: aliasesOf(reader), negated: false }
    case 'foranyaddress': {
      const list = reader.value(true)
      if (reader.next !== '(') {
        throw new FilterSyntaxError(
          `"(" expected after "foranyaddress" near line ${reader.line} of filter file`,
        )
      }
      reader.takeChar()
      return { is: 'foranyaddress', list, inner: parseAlternatives(reader, ')', depth + 1), negated: false }
    }
    default:
      return undefined
  }
}

function aliasesOf(reader: FilterReader): ByteString[] {
  const aliases: ByteString[] = []
  while (reader.peekWord() === 'alias') {
    reader.word(true)
    aliases.push(reader.value(true))
  }
  return aliases
}

/** `begins`, and `begin` after `does`; in capitals the case of letters counts. */
const tests: Readonly<Record<string, StringTest>> = {
  begin: 'begins',
  begins: 'begins',
  contain: 'contains',
  contains: 'contains',
  end: 'ends',
  ends: 'ends',
  is: 'is',
  match: 'matches',
  matches: 'matches',
}

/** `TEXT [does|is] [not] WORD TEXT`. */
function parseTest(left: ByteString, reader: FilterReader): Condition {
  let { line } = reader
  let word = reader.word(true)
  if (word === '') line = reader.line
  let negated = false
  const does = word.toLowerCase() === 'does'
  if (does || word.toLowerCase() === 'is') {
    if (reader.peekWord() === 'not') {
      reader.word(true)
      negated = true
    }
    const follows = reader.peekWord()
    // `is contains` and even `is is` are accepted.
    if (does || isNumberTest(follows) || tests[follows.toLowerCase()] !== undefined) {
      line = reader.line
      word = reader.word(true)
    }
  }
  const lower = word.toLowerCase()
  const test = tests[lower]
  if (!isNumberTest(lower) && (test === undefined || (word !== lower && word !== word.toUpperCase()))) {
    throw new FilterSyntaxError(`unrecognized condition word "${word}" near line ${line} of filter file`)
  }
  if (reader.next === '(') throw new FilterSyntaxError(`unexpected "(" in line ${reader.line} of filter file`)
  const right = reader.value(true)
  if (isNumberTest(lower)) return { is: 'number', test: lower, negated, left, right }
  // Its place in the table was looked at above.
  return { is: 'string', test: test ?? 'is', caseful: word !== lower, negated, left, right }
}

function isNumberTest(word: string): word is 'above' | 'below' {
  return word === 'above' || word === 'below'
}
