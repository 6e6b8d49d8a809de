/** The tests of Sieve. Source: RFC 5228 section 5, RFC 5233 (subaddress), RFC 5435 (enotify). */
import { type Awaitable, unreachable } from '../../../../base/outcome.ts'
import type { ByteString } from '../../../../base/text.ts'
import { type ReadArguments, readArguments, stringLists } from './arguments.ts'
import { compare, type Comparator, isComparator, type MatchType } from './compare.ts'
import { SieveError, type SieveNode } from './grammar.ts'
import { type AddressPart, addressValues, envelopeFrom, envelopeTo, headerValues, partOf } from './message.ts'
import { isMailto } from './mailto.ts'
import type { SieveScript } from './script.ts'

/** A test that was checked. */
export type SieveTest = () => Awaitable<boolean>

const matchTags = { is: 'nothing', contains: 'nothing', matches: 'nothing', comparator: 'string' } as const
const partTags = {
  all: 'nothing',
  localpart: 'nothing',
  domain: 'nothing',
  user: 'nothing',
  detail: 'nothing',
} as const

const takesTests: ReadonlySet<string> = new Set(['allof', 'anyof', 'not'])

/** Checks a test and gives what runs it. */
export function compileTest(node: SieveNode, script: SieveScript): SieveTest {
  const inner = node.tests.map((test) => compileTest(test, script))
  if (inner.length > 0 && !takesTests.has(node.name)) throw new SieveError('missing block', node.line)
  switch (node.name) {
    case 'true':
    case 'false':
      none(node)
      return () => node.name === 'true'
    case 'not': {
      const [only] = inner
      if (only === undefined || inner.length !== 1) throw new SieveError('missing test', node.line)
      return async () => !(await only())
    }
    case 'allof':
    case 'anyof':
      if (inner.length === 0) throw new SieveError('missing test list', node.line)
      return node.name === 'allof'
        ? async () => !(await someHolds(inner, false))
        : () => someHolds(inner, true)
    case 'exists': {
      const [names = []] = stringLists(node, readArguments(node, {}), ['header string list'])
      for (const name of names) checkHeaderName(name, node)
      return () => names.every((name) => headerValues(name, script.context).length > 0)
    }
    case 'size':
      return sizeTest(node, script)
    case 'header':
      return headerTest(node, script)
    case 'address':
      return addressTest(node, script)
    case 'envelope':
      script.needs('envelope', node.line)
      return envelopeTest(node, script)
    case 'valid_notify_method': {
      script.needs('enotify', node.line)
      const [uris = []] = stringLists(node, readArguments(node, {}), ['URI string list'])
      return () => uris.every(isMailto)
    }
    case 'notify_method_capability':
      script.needs('enotify', node.line)
      return capabilityTest(node, script)
    default:
      throw new SieveError('missing test', node.line)
  }
}

/** Does one of them give this? Those after it are not run. */
async function someHolds(tests: readonly SieveTest[], wanted: boolean): Promise<boolean> {
  for (const test of tests) if ((await test()) === wanted) return true
  return false
}

function none(node: SieveNode): void {
  if (node.arguments.length > 0) throw new SieveError('syntax error', node.line)
}

/** RFC 5228 section 5.9. */
function sizeTest(node: SieveNode, script: SieveScript): SieveTest {
  const read = readArguments(node, { over: 'number', under: 'number' })
  const over = read.number('over')
  const under = read.number('under')
  if ((over === undefined) === (under === undefined) || read.positional.length > 0) {
    throw new SieveError('missing :over or :under', node.line)
  }
  return () => {
    const size = script.context.message?.size ?? 0
    return over === undefined ? size < (under ?? 0) : size > over
  }
}

function checkHeaderName(name: ByteString, node: SieveNode): void {
  if (!/^[!-9;-~\x80-\xff]+$/.test(name)) throw new SieveError('invalid header field', node.line)
}

interface Matching {
  readonly match: MatchType
  readonly comparator: Comparator
}

function matchingOf(read: ReadArguments, node: SieveNode, script: SieveScript): Matching {
  const wanted = (['is', 'contains', 'matches'] as const).filter((tag) => read.has(tag))
  if (wanted.length > 1) throw new SieveError('match type already specified', node.line)
  const comparator = read.string('comparator') ?? 'i;ascii-casemap'
  if (!isComparator(comparator)) throw new SieveError('invalid comparator', node.line)
  if (comparator === 'i;ascii-numeric') {
    script.needs('comparator-i;ascii-numeric', node.line)
    // RFC 5228 section 2.7.3: it knows no parts of a string.
    if (wanted[0] !== undefined && wanted[0] !== 'is')
      throw new SieveError('comparator does not support the match type', node.line)
  }
  return { match: wanted[0] ?? 'is', comparator }
}

async function anyMatches(
  values: readonly ByteString[],
  keys: readonly ByteString[],
  { match, comparator }: Matching,
  { turn }: SieveScript,
): Promise<boolean> {
  for (const value of values) {
    for (const key of keys) {
      if (compare(value, key, match, comparator)) return true
      if (turn.overdue()) await turn.end()
    }
  }
  return false
}

function headerTest(node: SieveNode, script: SieveScript): SieveTest {
  const read = readArguments(node, matchTags)
  const matching = matchingOf(read, node, script)
  const [names = [], keys = []] = stringLists(node, read, ['header string list', 'key string list'])
  for (const name of names) checkHeaderName(name, node)
  const texts = keys.map((key) => script.text(key, node.line))
  return async () => {
    for (const name of names)
      if (await anyMatches(headerValues(name, script.context), texts, matching, script)) return true
    return false
  }
}

function partIn(read: ReadArguments, node: SieveNode, script: SieveScript): AddressPart {
  const parts = (['all', 'localpart', 'domain', 'user', 'detail'] as const).filter((tag) => read.has(tag))
  if (parts.length > 1) throw new SieveError('address part already specified', node.line)
  const part = parts[0] ?? 'all'
  if (part === 'user' || part === 'detail') script.needs('subaddress', node.line)
  return part
}

/** Headers that hold addresses: RFC 5228 section 5.1; others are a mistake. */
const addressHeaders = new Set([
  'bcc',
  'cc',
  'delivered-to',
  'envelope-to',
  'errors-to',
  'from',
  'reply-to',
  'resent-bcc',
  'resent-cc',
  'resent-from',
  'resent-sender',
  'resent-to',
  'return-path',
  'sender',
  'to',
])

function addressTest(node: SieveNode, script: SieveScript): SieveTest {
  const read = readArguments(node, { ...matchTags, ...partTags })
  const matching = matchingOf(read, node, script)
  const part = partIn(read, node, script)
  const [names = [], keys = []] = stringLists(node, read, ['header string list', 'key string list'])
  for (const name of names) {
    checkHeaderName(name, node)
    if (!addressHeaders.has(name.toLowerCase())) throw new SieveError('invalid header field', node.line)
  }
  const texts = keys.map((key) => script.text(key, node.line))
  return async () => {
    for (const name of names) {
      const parts = addressValues(name, script.context).map((address) => partOf(address, part))
      if (await anyMatches(present(parts), texts, matching, script)) return true
    }
    return false
  }
}

function present(parts: readonly (ByteString | undefined)[]): ByteString[] {
  return parts.flatMap((one) => (one === undefined ? [] : [one]))
}

function envelopeTest(node: SieveNode, script: SieveScript): SieveTest {
  const read = readArguments(node, { ...matchTags, ...partTags })
  const matching = matchingOf(read, node, script)
  const part = partIn(read, node, script)
  const [names = [], keys = []] = stringLists(node, read, ['envelope string list', 'key string list'])
  const fields = names.map((name) => {
    const lower = name.toLowerCase()
    if (lower !== 'from' && lower !== 'to') throw new SieveError('invalid envelope string', node.line)
    return lower
  })
  const texts = keys.map((key) => script.text(key, node.line))
  return async () => {
    for (const field of fields)
      if (await anyMatches(envelopeParts(field, part, script), texts, matching, script)) return true
    return false
  }
}

/** For the recipient, `sieve_useraddress` and `sieve_subaddress` say what `:user` and `:detail` are. */
function envelopeParts(field: 'from' | 'to', part: AddressPart, script: SieveScript): ByteString[] {
  if (field === 'from') return present([partOf(envelopeFrom(script.context), part)])
  const address = envelopeTo(script.context)
  switch (part) {
    case 'user':
      return [script.options.userAddress ?? address.slice(0, address.lastIndexOf('@'))]
    case 'detail':
      return present([script.options.subAddress])
    case 'all':
    case 'localpart':
    case 'domain':
      return present([partOf(address, part)])
    default:
      return unreachable(part)
  }
}

/** RFC 5435 section 6: of mailto nothing is known about who is online. */
function capabilityTest(node: SieveNode, script: SieveScript): SieveTest {
  const read = readArguments(node, matchTags)
  const matching = matchingOf(read, node, script)
  const [uris = [], names = [], keys = []] = stringLists(node, read, [
    'URI string',
    'capability string',
    'key string list',
  ])
  return () =>
    uris.every(isMailto) &&
    names[0]?.toLowerCase() === 'online' &&
    anyMatches(['maybe'], keys, matching, script)
}
