/** `verify = header_...` and `verify = not_blind`: what stands in the headers of the message. */
import { asciiLower } from '../../../base/text.ts'
import { splitAddressList } from '../../../mail/address-list.ts'
import type { Header } from '../../../mail/envelope.ts'
import { headerBody, headerName, unfold } from '../../../mail/header.ts'
import { parseAddress } from '../../../mail/parse-address.ts'
import type { Context, VerifyResult } from '../../../ports.ts'
import type { Phases } from '../place.ts'
import { errorOf, type Tested, TRUE } from '../row.ts'
import { noOptions } from './helo.ts'
import { badOption } from './options.ts'
import type { VerifyRow } from './row.ts'

const withMessage: Phases = { only: ['data', 'prdr', 'mime', 'dkim', 'notsmtp'] }
/** Addresses looked at in one message. */
const MOST_ADDRESSES = 10_000

/** One address of a header, as it stands there. */
interface HeaderAddress {
  readonly header: string
  readonly text: string
}

function* addressesIn(headers: readonly Header[], names: readonly string[]): Generator<HeaderAddress> {
  let left = MOST_ADDRESSES
  for (const header of headers) {
    const name = headerName(header.text)
    if (header.type === '*' || name === undefined || !names.includes(asciiLower(name))) continue
    for (const item of splitAddressList(unfold(headerBody(header)))) {
      if (--left < 0) return
      yield { header: name, text: item.text }
    }
  }
}

export const headerSyntax: VerifyRow = {
  name: 'header_syntax',
  doc: 'Headers that hold addresses (From, Reply-To, Sender, To, Cc, Bcc) are well formed.',
  since: '0.1',
  tier: 'A',
  phases: withMessage,
  takesAddress: false,
  wrongOption: noOptions,
  async run({ context }) {
    const names = ['from', 'reply-to', 'sender', 'to', 'cc', 'bcc']
    const unqualified = await unqualifiedAllowed(context)
    for (const { header, text } of addressesIn(context.message?.headers ?? [], names)) {
      const problem = problemOf(text, header, unqualified, context)
      if (problem === undefined) continue
      const logMessage = `${problem}: failing address in "${header}:" header is: ${text.slice(0, 1024)}`
      const told = `${problem}:\nfailing address in "${header}:" header is: ${text.slice(0, 1024)}`
      const refused = refusedFor(told, logMessage, context)
      // The administrator's `$acl_verify_message` has it, though the client may not hear it: observed of Exim 4.96.
      const heard = refused.userMessage === undefined ? '' : 'Rejected after DATA: '
      return { ...refused, verifyMessage: `${heard}${logMessage}` }
    }
    return TRUE
  },
}

/** `smtp_return_error_details`: the client hears what is wrong with the message. */
function refusedFor(told: string, logMessage: string, { settings }: Context): Tested {
  if (!settings.smtp_return_error_details) return { is: 'false', logMessage }
  return { is: 'false', userMessage: `Rejected after DATA: ${told}`, logMessage }
}

interface Unqualified {
  readonly sender: boolean
  readonly recipient: boolean
}

/** Locally written messages and listed hosts may leave the domain out. */
async function unqualifiedAllowed(context: Context): Promise<Unqualified> {
  const { connection, ports, settings } = context
  if (connection?.hostAddress === undefined) return { sender: true, recipient: true }
  const subject = { address: connection.hostAddress }
  const allowed = async (list: typeof settings.sender_unqualified_hosts): Promise<boolean> =>
    list !== undefined && (await ports.matchList('host', list, subject, context)).is === 'match'
  return {
    sender: await allowed(settings.sender_unqualified_hosts),
    recipient: await allowed(settings.recipient_unqualified_hosts),
  }
}

function problemOf(
  text: string,
  header: string,
  unqualified: Unqualified,
  { settings }: Context,
): string | undefined {
  const parsed = parseAddress(text, {
    allowDomainLiterals: true,
    allowUtf8Domains: settings.allow_utf8_domains,
    stripTrailingDot: settings.strip_trailing_dot,
    stripAngleBrackets: settings.strip_excess_angle_brackets,
  })
  if (parsed.is === 'error') return parsed.message === 'empty address' ? undefined : parsed.message
  if (parsed.domain !== '') return undefined
  const isSender = /^(?:from|sender|reply-to)$/i.test(header)
  if (isSender ? unqualified.sender : unqualified.recipient) return undefined
  return 'unqualified address not permitted'
}

export const headerNamesAscii: VerifyRow = {
  name: 'header_names_ascii',
  doc: 'The names of all headers are printable ASCII.',
  since: '0.1',
  tier: 'A',
  phases: withMessage,
  takesAddress: false,
  wrongOption: noOptions,
  run({ context }) {
    for (const { text, type } of context.message?.headers ?? []) {
      if (type === '*') continue
      const colon = text.indexOf(':')
      const name = colon < 0 ? text.trimEnd() : text.slice(0, colon)
      if (!/[^!-~]/.test(name.trimEnd())) continue
      const problem = `Invalid character in header "${name}" found`
      return refusedFor(problem, problem, context)
    }
    return TRUE
  },
}

export const headerSender: VerifyRow = {
  name: 'header_sender',
  doc: 'An address in Sender, Reply-To or From can be verified as a sender.',
  since: '0.1',
  tier: 'A',
  phases: withMessage,
  takesAddress: false,
  async run(call, argument) {
    const bad = badOption(argument.options, argument.text, 'header')
    if (bad !== undefined) return errorOf(bad)
    const { context } = call
    const headers = context.message?.headers ?? []
    let deferred = false
    let told: string | undefined
    let broken: Tested | undefined
    for (const name of ['sender', 'reply-to', 'from']) {
      for (const { header, text } of addressesIn(headers, [name])) {
        const parsed = parseAddress(text)
        if (parsed.is === 'error') {
          const problem = `syntax error in '${header}:' header when scanning for sender: ${parsed.message} in "${text.trim()}"`
          broken ??= refusedFor(problem, problem, context)
          continue
        }
        context.debug?.('acl', `verifying ${header}: header address ${parsed.address}`)
        if (parsed.domain === '') continue
        const result = await verifySender(parsed.address, argument.options, context)
        if (result.is === 'ok') return TRUE
        const why = result.logMessage ?? result.userMessage ?? ''
        told = `could not verify "${header}:" header address\n${parsed.address}: ${why}`
        if (result.is === 'defer') {
          if (argument.options.includes('defer_ok')) return TRUE
          deferred = true
        }
      }
    }
    if (broken !== undefined && !deferred) return broken
    return noSender(deferred, told, context)
  },
}

function verifySender(address: string, options: readonly string[], context: Context): Promise<VerifyResult> {
  return context.ports.verify(
    { address, kind: 'sender', ofHeader: true, options },
    { ...context, verifyMode: 'S' },
  )
}

function noSender(deferred: boolean, told: string | undefined, context: Context): Tested {
  const logMessage = deferred
    ? 'all attempts to verify a sender in a header line deferred'
    : 'there is no valid sender in any header line'
  const refused =
    told === undefined ? { is: 'false' as const, logMessage } : refusedFor(told, logMessage, context)
  return deferred ? { ...refused, is: 'defer' } : refused
}

export const notBlind: VerifyRow = {
  name: 'not_blind',
  doc: 'Every recipient stands in a To or Cc header.',
  since: '0.1',
  tier: 'A',
  phases: { only: ['data', 'prdr', 'mime', 'notsmtp'] },
  takesAddress: false,
  knownOptions: ['case_insensitive'],
  wrongOption(options, text) {
    const wrong = options.find((option) => option !== 'case_insensitive')
    return wrong === undefined ? undefined : `unknown option "${wrong}" in ACL condition "verify ${text}"`
  },
  run({ context }, argument) {
    const caseless = argument.options.includes('case_insensitive')
    const names = ['to', 'cc', 'resent-to', 'resent-cc']
    const shown = new Set<string>()
    for (const { text } of addressesIn(context.message?.headers ?? [], names)) {
      const parsed = parseAddress(text)
      if (parsed.is === 'address') shown.add(comparable(parsed.address, context, caseless))
    }
    const blind = (context.message?.recipients ?? []).some(
      ({ address }) => !shown.has(comparable(address, context, caseless)),
    )
    const problem = 'bcc recipient detected'
    return blind ? refusedFor(problem, problem, context) : TRUE
  },
}

function comparable(address: string, { server }: Context, caseless: boolean): string {
  const at = address.lastIndexOf('@')
  const localPart = at < 0 ? address : address.slice(0, at)
  const domain = at < 0 ? server.qualifyRecipient : address.slice(at + 1)
  return `${caseless ? asciiLower(localPart) : localPart}@${asciiLower(domain)}`
}
