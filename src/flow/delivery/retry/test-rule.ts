/** `-brt`: which retry rule applies to an address or host, as Exim prints it. Source: Exim manual, "-brt". */
import { formatInterval } from '../../../base/interval.ts'
import type { ByteString } from '../../../base/text.ts'
import type { RetryInterval, RetryRule } from '../../../language/config/configuration.ts'
import { errorFault } from '../../../language/config/retry.ts'
import type { Context } from '../../../ports.ts'
import { readTime } from '../expanding.ts'
import { errorNumbers } from '../results.ts'
import { connectTimeout, findRule } from './rules.ts'

/**
 * @param words one or two subjects (each rule is tried with the first, then with the second) and perhaps an error name
 * @param sender of `-f`; undefined: rules with a senders list do not match
 */
export async function retryTest(
  words: readonly ByteString[],
  sender: ByteString | undefined,
  context: Context,
): Promise<{ readonly text: ByteString; readonly exitCode: number }> {
  const [first, ...rest] = words
  if (first === undefined) return { text: '-brt needs a domain or address argument\n', exitCode: 1 }
  const second = rest[0]?.includes('.') === true ? rest.shift() : undefined
  const name = rest[0]
  const fault = name === undefined ? undefined : errorFault(name)
  if (fault !== undefined) return { text: `${fault.message}\n`, exitCode: 1 }
  const error = errorOf(name)
  const warning = /[@.]/.test(first)
    ? ''
    : `Warning: "${first}" contains no '@' and no '.' characters. It is being \ntreated as a one-component domain, not as a local part.\n\n`
  // Each line is checked twice, as it is for a host and the domain of the address.
  const subject = { subject: first, alternative: second, ...error, sender }
  const rule = await findRule(context.server.configuration.retry, subject, context)
  if (rule !== undefined) return { text: `${warning}Retry rule: ${ruleText(rule)}\n`, exitCode: 0 }
  return { text: `${warning}No retry information found\n`, exitCode: 0 }
}

/** The numbers that an error of this name would have. */
function errorOf(name: ByteString | undefined): { readonly errno: number; readonly more: number } {
  const parts = /^(mail|rcpt|data)_4(.)(.)$/.exec(name ?? '')
  if (parts !== null) {
    const digits = `${parts[2]}${parts[3]}`.replaceAll('x', '0')
    const errno = { mail: errorNumbers.mail4xx, rcpt: errorNumbers.rcpt4xx, data: errorNumbers.data4xx }
    return { errno: errno[parts[1] as keyof typeof errno], more: (Number(digits) << 8) | 65 }
  }
  const quota = /^quota(?:_(.*))?$/.exec(name ?? '')
  if (quota !== null) return { errno: errorNumbers.mailboxFull, more: readTime(quota[1] ?? '0s') ?? 0 }
  return named[name ?? ''] ?? { errno: 0, more: 0 }
}

const mx = 77
const a = 65
const named: Readonly<Record<string, { readonly errno: number; readonly more: number }>> = {
  auth_failed: { errno: errorNumbers.authFailed, more: 0 },
  lookup: { errno: errorNumbers.lookup, more: 0 },
  lost_connection: { errno: errorNumbers.lostConnection, more: 0 },
  refused: { errno: errorNumbers.refused, more: 0 },
  refused_A: { errno: errorNumbers.refused, more: a },
  refused_MX: { errno: errorNumbers.refused, more: mx },
  timeout: { errno: errorNumbers.timedOut, more: 0 },
  timeout_A: { errno: errorNumbers.timedOut, more: a },
  timeout_MX: { errno: errorNumbers.timedOut, more: mx },
  timeout_connect: { errno: errorNumbers.timedOut, more: connectTimeout << 8 },
  timeout_connect_A: { errno: errorNumbers.timedOut, more: (connectTimeout << 8) | a },
  timeout_connect_MX: { errno: errorNumbers.timedOut, more: (connectTimeout << 8) | mx },
  tls_required: { errno: errorNumbers.tlsRequired, more: 0 },
}

/** Exim shows an error with reply digits as `*`, and a factor of H not at all: observed of 4.96. */
function ruleText(rule: RetryRule): string {
  const { name, extra } = rule.error
  const error = extra === undefined ? name : name === 'quota' ? `quota_${extra}` : '*'
  return `${rule.pattern.text}  ${error}  ${rule.intervals.map(intervalText).join('')}`
}

function intervalText({ rule, cutoff, interval, factor }: RetryInterval): string {
  const grows =
    rule === 'G' && factor !== undefined ? `,${Number.isInteger(factor) ? factor.toFixed(1) : factor}` : ''
  return `${rule},${formatInterval(cutoff)},${formatInterval(interval)}${grows}; `
}
