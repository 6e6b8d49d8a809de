/** Retry rules. Source: Exim manual, "Retry configuration". */
import { nearest, type Report } from '../../base/diagnostic.ts'
import { Expandable } from '../../base/expandable.ts'
import type { RetryInterval, RetryRule } from './configuration.ts'
import { type MappedText, skipSpace } from './mapped.ts'
import { error } from './settings.ts'
import { parseTime } from './values.ts'
import { readWord } from './words.ts'

/** Errors a rule can be for, with what may follow the name. */
const plainErrors = [
  '*',
  'auth_failed',
  'lookup',
  'lost_connection',
  'quota',
  'refused_A',
  'refused_MX',
  'refused',
  'timeout_A',
  'timeout_DNS',
  'timeout_MX',
  'timeout_connect',
  'timeout_connect_A',
  'timeout_connect_MX',
  'timeout',
  'tls_required',
] as const

const codedErrors = ['mail', 'rcpt', 'data'] as const

/** Reads a rule line; undefined after a report. */
export function readRetryRule(line: MappedText, report: Report): RetryRule | undefined {
  const pattern = readWord(line, 0)
  if (pattern === undefined) return undefined
  const end = line.text.length
  const kind = readWord(line, pattern.next, false)
  if (kind === undefined) {
    const help = 'a rule is: pattern, error (or *), then intervals such as F,2h,15m'
    error(
      report,
      'retry-error-missing',
      'missing error type in retry rule',
      line.span(pattern.start, end),
      help,
    )
    return undefined
  }
  const errorText = kind.text.text
  const fault = errorFault(errorText)
  if (fault !== undefined) {
    const span = line.span(kind.start, kind.start + errorText.length)
    const help = /^[FGH],/.test(errorText) ? 'a rule is: domain or address, error, times' : fault.help
    error(report, 'retry-error-unknown', fault.message, span, help)
  }
  if (/^timeout_dns$/i.test(errorText)) {
    report({
      code: 'retry-error-obsolete',
      severity: 'warning',
      message:
        '"timeout_dns" is no longer available in retry rules (it has never worked) - treated as "timeout"',
      at: line.span(kind.start, kind.start + errorText.length),
      help: 'write timeout',
    })
  }
  let at = kind.next
  let senders: Expandable | undefined
  if (line.text.startsWith('senders', at)) {
    const equals = skipSpace(line.text, at + 'senders'.length)
    if (line.text[equals] !== '=') {
      const message = '"=" expected after "senders" in retry rule'
      const span = line.span(at, at + 'senders'.length)
      error(report, 'retry-senders', message, span, 'write senders=address list')
      return undefined
    }
    const word = readWord(line, equals + 1)
    if (word !== undefined) senders = new Expandable(word.text.text, word.text, 'senders')
    at = word?.next ?? end
  }
  const intervals = readIntervals(line, at, report)
  if (intervals === undefined || fault !== undefined) return undefined
  const [name, extra] = splitError(plainError(errorText) ?? errorText)
  return {
    at: line.span(pattern.start, pattern.start + Math.max(1, pattern.text.text.length)),
    pattern: new Expandable(pattern.text.text, pattern.text, 'retry pattern'),
    error: { name, extra },
    senders,
    intervals,
  }
}

/** Written in letters of any case, and with an underscore too many. */
function plainError(text: string): (typeof plainErrors)[number] | undefined {
  const bare = text.toLowerCase().replace(/^(refused|timeout(?:_connect)?)_$/, '$1')
  return bare === 'timeout_dns' ? 'timeout' : plainErrors.find((name) => name.toLowerCase() === bare)
}

/** `quota_5d` is `quota` with `5d`; `rcpt_45x` is `rcpt` with `45x`. */
function splitError(text: string): [string, string | undefined] {
  const match = /^(mail|rcpt|data|quota)_(.*)$/i.exec(text)
  return match?.[1] === undefined ? [text, undefined] : [match[1].toLowerCase(), match[2]]
}

/** What is wrong with the name of a retry error; undefined: nothing. */
export function errorFault(text: string): { message: string; help: string | undefined } | undefined {
  if (plainError(text) !== undefined) return undefined
  const [name, extra] = splitError(text)
  if (extra !== undefined && name === 'quota')
    return parseTime(extra) === undefined
      ? { message: 'bad time value', help: 'such as quota_7d: the mailbox has not been read for that long' }
      : undefined
  if (extra?.startsWith('4') && name !== 'quota') {
    if (/^4(?:xx|\dx|\d\d)$/.test(extra)) return undefined
    const message = `${text.slice(0, name.length)}_4 must be followed by xx, dx, or dd, where x is literal and d is any digit`
    return { message, help: `such as ${name}_4xx or ${name}_452` }
  }
  const near = nearest(text, [...plainErrors, ...codedErrors.map((coded) => `${coded}_4xx`)])
  const help = near === undefined ? undefined : `did you mean "${near}"?`
  if (/^refused_/i.test(text)) return { message: 'A or MX expected after "refused"', help }
  if (/^timeout_/i.test(text)) return { message: '"A", "MX", or "connect" expected after "timeout"', help }
  return { message: `unknown or malformed retry error "${text}"`, help }
}

/** `F,2h,15m; G,16h,1h,1.5`. */
function readIntervals(line: MappedText, from: number, report: Report): RetryInterval[] | undefined {
  const { text } = line
  const intervals: RetryInterval[] = []
  let at = from
  while (at < text.length) {
    const end = text.indexOf(';', at) === -1 ? text.length : text.indexOf(';', at)
    const interval = readInterval(line, at, end)
    if ('message' in interval) {
      const { message, start, help } = interval
      error(report, 'retry-interval', message, line.span(start, Math.max(start + 1, end)), help)
      return undefined
    }
    intervals.push(interval)
    at = skipSpace(text, end + 1)
  }
  return intervals
}

interface IntervalFault {
  readonly message: string
  readonly start: number
  readonly help: string
}

const intervalForms = {
  F: 'F,cutoff,interval, such as F,2h,15m',
  G: 'G,cutoff,interval,factor, such as G,16h,1h,1.5',
  H: 'H,cutoff,interval,factor, such as H,16h,1h,1.5',
}

function readInterval(line: MappedText, start: number, end: number): RetryInterval | IntervalFault {
  const rule = line.text.slice(start, end)
  const letter = rule.charAt(0).toUpperCase()
  const known = letter === 'F' || letter === 'G' || letter === 'H'
  const help = known ? intervalForms[letter] : 'the letters are F, G and H'
  // The comma is looked for before the letter is judged, as in Exim 4.96.
  if (rule[1] !== ',') return { message: 'comma expected', start: start + 1, help }
  if (!known) return { message: 'unknown retry rule letter', start, help }
  const fields: string[] = []
  let at = 1
  for (let i = 0; i < (letter === 'F' ? 2 : 3); i++) {
    const comma = /^,[ \t]*/.exec(rule.slice(at))
    if (comma === null) return { message: 'comma expected', start: start + at, help }
    at += comma[0].length
    const pattern = i < 2 ? /^[A-Za-z0-9]*/ : /^[^ \t,]*/
    const field = pattern.exec(rule.slice(at))?.[0] ?? ''
    at += field.length
    if (i < 2 && !/^(?:[ \t,]|$)/.test(rule.slice(at))) {
      return { message: 'comma or semicolon expected', start: start + at, help }
    }
    fields.push(field)
  }
  const rest = skipSpace(rule, at)
  if (rest < rule.length)
    return { message: 'semicolon expected', start: start + rest, help: 'intervals are parted by ;' }
  const cutoff = parseTime(fields[0] ?? '')
  const interval = parseTime(fields[1] ?? '')
  const factor = letter === 'F' ? 1 : Number(/^\d+(?:\.\d+)?$/.exec(fields[2] ?? '')?.[0] ?? 0)
  if (cutoff === undefined || interval === undefined || cutoff <= 0 || interval <= 0 || factor < 1) {
    return { message: 'bad parameters for retry rule', start, help }
  }
  return letter === 'F' ? { rule: letter, cutoff, interval } : { rule: letter, cutoff, interval, factor }
}
