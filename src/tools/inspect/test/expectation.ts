/** What a test expects, and whether a text is it. */
import { decodeUtf8, encodeUtf8, type ByteString } from '../../../base/text.ts'
import { Fields, itemsOf, type Problems } from './fields.ts'
import type { Place, Value } from './value.ts'

export interface Matcher {
  /** As the test says it. */
  readonly says: string
  readonly at: Place
  matches(text: ByteString): boolean
}

const words: Readonly<Record<string, RegExp>> = {
  accepted: /^2/,
  refused: /^5/,
  deferred: /^4/,
}

/** How a plain text is meant: a reply begins with it, a log line contains it, a value is it. */
export type PlainMeans = 'begins' | 'contains' | 'is'

export function readMatcher(value: Value, plain: PlainMeans, problems: Problems): Matcher {
  if (value.is === 'text') return plainMatcher(value.text, value.at, plain, problems)
  if (value.is === 'nothing') return { says: 'nothing', at: value.at, matches: (text) => text === '' }
  if (value.is === 'list') {
    const all = value.items.map((item) => readMatcher(item, 'contains', problems))
    return {
      says: all.map(({ says }) => says).join(' and '),
      at: value.at,
      matches: (text) => all.every((one) => one.matches(text)),
    }
  }
  return readMap(value, plain, problems)
}

function readMap(value: Value, plain: PlainMeans, problems: Problems): Matcher {
  const fields = new Fields(value, 'an expectation', ['is', 'begins', 'contains', 'matches', 'not'], problems)
  const parts: Matcher[] = []
  for (const means of ['is', 'begins', 'contains'] as const) {
    const text = fields.text(means)
    if (text !== undefined) parts.push(textMatcher(text, value.at, means))
  }
  const regex = fields.text('matches')
  if (regex !== undefined) parts.push(regexMatcher(regex, '', value.at, problems))
  const not = fields.get('not')
  if (not !== undefined) {
    const inner = readMatcher(not, plain === 'is' ? 'is' : plain, problems)
    parts.push({ says: `not ${inner.says}`, at: not.at, matches: (text) => !inner.matches(text) })
  }
  return {
    says: parts.map(({ says }) => says).join(' and '),
    at: value.at,
    matches: (text) => parts.every((one) => one.matches(text)),
  }
}

function plainMatcher(text: string, at: Place, plain: PlainMeans, problems: Problems): Matcher {
  const regex = /^\/(.+)\/(i?)$/s.exec(text)
  if (regex !== null) return regexMatcher(regex[1] ?? '', regex[2] ?? '', at, problems)
  const word = plain === 'begins' ? words[text] : undefined
  if (word !== undefined) return { says: text, at, matches: (reply) => word.test(reply) }
  return textMatcher(text, at, plain === 'begins' && !/^\d/.test(text) ? 'contains' : plain)
}

function textMatcher(text: string, at: Place, means: PlainMeans): Matcher {
  const bytes = encodeUtf8(text).replace(/\n$/, '')
  switch (means) {
    case 'is':
      return { says: text, at, matches: (found) => found.replace(/\n$/, '') === bytes }
    case 'begins':
      return { says: text, at, matches: (found) => found.startsWith(bytes) || flat(found).startsWith(bytes) }
    case 'contains':
      return { says: text, at, matches: (found) => found.includes(bytes) || flat(found).includes(bytes) }
  }
}

function regexMatcher(source: string, flags: string, at: Place, problems: Problems): Matcher {
  try {
    const regex = new RegExp(encodeUtf8(source), `${flags}m`)
    return { says: `/${source}/${flags}`, at, matches: (text) => regex.test(text) || regex.test(flat(text)) }
  } catch (error) {
    problems.add(at, `"${source}" is no regular expression: ${error instanceof Error ? error.message : ''}`)
    return { says: source, at, matches: () => false }
  }
}

/** A reply of several lines as one: `550-No\n550 mail` is `550 No mail` too. */
function flat(text: ByteString): ByteString {
  return text.replace(/^(\d{3})-/, '$1 ').replace(/\n\d{3}[- ]/g, ' ')
}

export function readMatchers(
  value: Value | undefined,
  plain: PlainMeans,
  problems: Problems,
): readonly Matcher[] {
  return value === undefined ? [] : itemsOf(value).map((item) => readMatcher(item, plain, problems))
}

/** One thing that is not as expected. */
export interface Difference {
  /** `the reply to RCPT TO:<a@b>`. */
  readonly what: string
  readonly expected: string
  readonly found: string
  readonly at: Place
}

export function compare(what: string, matcher: Matcher, found: ByteString): Difference[] {
  if (matcher.matches(found)) return []
  return [{ what, expected: matcher.says, found: decodeUtf8(found), at: matcher.at }]
}
