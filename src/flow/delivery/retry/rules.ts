/** Finds the retry rule for a failure. Source: Exim manual, "Retry configuration", sections 2 to 6. */
import type { Expandable } from '../../../base/expandable.ts'
import { taint, type ByteString } from '../../../base/text.ts'
import type { RetryRule } from '../../../language/config/configuration.ts'
import type { Context } from '../../../ports.ts'
import { errorNumbers } from '../results.ts'

/** What failed, as rules see it. */
export interface RetrySubject {
  /** An address, or a domain alone. */
  readonly subject: ByteString
  /** Tried when the first does not match: the domain after the host. */
  readonly alternative?: ByteString | undefined
  readonly errno: number
  readonly more: number
  /** Undefined: rules with a `senders` list do not match. */
  readonly sender: ByteString | undefined
}

/** The first rule that matches, or undefined: then there is no retrying. */
export async function findRule(
  rules: readonly RetryRule[],
  subject: RetrySubject,
  context: Context,
): Promise<RetryRule | undefined> {
  for (const rule of rules) {
    if (!errorMatches(rule.error.name, rule.error.extra, subject.errno, subject.more)) continue
    if (!(await patternMatches(rule, subject, context))) continue
    if (rule.senders !== undefined) {
      if (subject.sender === undefined) continue
      const result = await context.ports.matchList(
        'address',
        rule.senders,
        taint(subject.sender, '$sender_address'),
        context,
      )
      if (result.is !== 'match') continue
    }
    return rule
  }
  return undefined
}

async function patternMatches(rule: RetryRule, subject: RetrySubject, context: Context): Promise<boolean> {
  if (rule.pattern.text === '*') return true
  if (await onePatternMatches(rule.pattern, subject.subject, context)) return true
  return (
    subject.alternative !== undefined && (await onePatternMatches(rule.pattern, subject.alternative, context))
  )
}

/** A domain alone is matched as `*@domain`. */
async function onePatternMatches(pattern: Expandable, text: ByteString, context: Context): Promise<boolean> {
  const address = text.includes('@') ? text : `*@${text}`
  const result = await context.ports.matchList('address', pattern, taint(address, 'retry rule'), context)
  return result.is === 'match'
}

/**
 * Does the error of a rule cover this one? `more` holds the last two digits of a reply code times 256, plus 77 for a
 * host from an MX record and 65 for others.
 */
export function errorMatches(name: string, extra: string | undefined, errno: number, more: number): boolean {
  if (name === '*') return true
  const digits = more >> 8
  const code =
    /^(auth_failed|data|mail|rcpt|lost_connection|lookup|refused|timeout_connect|timeout|tls_required|quota)(?:_(.+))?$/.exec(
      name,
    )
  const detail = code?.[2] ?? extra
  switch (code?.[1] ?? name) {
    case 'data':
      return errno === errorNumbers.data4xx && replyMatches(detail, digits)
    case 'mail':
      return errno === errorNumbers.mail4xx && replyMatches(detail, digits)
    case 'rcpt':
      return errno === errorNumbers.rcpt4xx && replyMatches(detail, digits)
    case 'auth_failed':
      return errno === errorNumbers.authFailed
    case 'lost_connection':
      return errno === errorNumbers.lostConnection
    case 'lookup':
      return errno === errorNumbers.lookup
    case 'refused':
      return errno === errorNumbers.refused && kindMatches(detail, more & 255)
    case 'timeout_connect':
      // The letter after the number tells a time-out while connecting.
      return errno === errorNumbers.timedOut && digits === connectTimeout && kindMatches(detail, more & 255)
    case 'timeout':
      return errno === errorNumbers.timedOut && kindMatches(detail, more & 255)
    case 'tls_required':
      return errno === errorNumbers.tlsRequired || errno === errorNumbers.tlsFailure
    case 'quota':
      return errno === errorNumbers.mailboxFull && quotaMatches(detail, more)
    default:
      return false
  }
}

/** In `more`, in the place of a reply code: the time-out came while connecting (`C`). */
export const connectTimeout = 67

/** `4xx`, `45x`, `451`. */
function replyMatches(pattern: string | undefined, digits: number): boolean {
  if (pattern === undefined) return false
  const text = `4${String(digits).padStart(2, '0')}`
  return pattern.length === 3 && Array.from(pattern).every((c, i) => c === 'x' || c === text[i])
}

function kindMatches(kind: string | undefined, letter: number): boolean {
  if (kind === undefined) return true
  return letter === (kind.toUpperCase() === 'MX' ? 77 : 65)
}

/** `quota_4d`: `more` holds the seconds since the mailbox was read. */
function quotaMatches(time: string | undefined, more: number): boolean {
  if (time === undefined) return true
  const match = /^(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?$/.exec(time)
  if (match === null) return false
  const [, w = '0', d = '0', h = '0', m = '0', s = '0'] = match
  return more >= Number(w) * 604_800 + Number(d) * 86_400 + Number(h) * 3600 + Number(m) * 60 + Number(s)
}
