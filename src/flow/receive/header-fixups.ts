/**
 * What reception does to header lines by itself: removes those that do not belong into a message in transit, and
 * completes those of local submissions. Source: Exim manual, "Message processing".
 */
import type { ByteString } from '../../base/text.ts'
import { quotedLocalPart } from '../../mail/address.ts'
import { splitAddressList } from '../../mail/address-list.ts'
import { headerDate } from '../../mail/date.ts'
import type { Header } from '../../mail/envelope.ts'
import { headerBody, headerName, isNamed, makeHeader } from '../../mail/header.ts'
import { parseAddress } from '../../mail/parse-address.ts'
import { phrase } from '../../mail/phrase.ts'
import type { Context } from '../../ports.ts'
import { expandOption } from './matching.ts'

/** Marks Return-path:, Envelope-to: and Delivery-date: as removed, as the options say. */
export function removeTransitHeaders(headers: readonly Header[], settings: Context['settings']): Header[] {
  const goes = (header: Header): boolean => {
    // Two letters tell most of the others apart.
    if (header.type !== ' ' || !/^(?:re|en|de)/i.test(header.text)) return false
    const name = headerName(header.text)?.toLowerCase()
    return (
      (name === 'return-path' && settings.return_path_remove) ||
      (name === 'envelope-to' && settings.envelope_to_remove) ||
      (name === 'delivery-date' && settings.delivery_date_remove)
    )
  }
  return headers.map((header) => (goes(header) ? removed(header) : header))
}

function removed(header: Header): Header {
  return { type: '*', text: header.text }
}

/** What fix-ups work from. */
export interface Submission {
  readonly id: string
  readonly receivedAt: number
  /** A local program: it has a caller; else submission mode over TCP. */
  readonly caller:
    | { readonly login: ByteString; readonly name: ByteString; readonly trusted: boolean }
    | undefined
  /** `-F`. */
  readonly fullName?: ByteString | undefined
  readonly sender: ByteString
  /** The message came on standard input without dialogue: `From: login` is completed. */
  readonly notSmtp: boolean
}

export interface FixedHeaders {
  readonly headers: Header[]
  /** The envelope sender, which follows a created Sender:. */
  readonly sender: ByteString
  readonly messageIdCreated: boolean
}

/** Adds Date:, Message-ID:, From: and Sender: where they are missing or wrong. */
export async function fixSubmission(
  given: readonly Header[],
  submission: Submission,
  context: Context,
): Promise<FixedHeaders> {
  const controls = context.message?.controls
  const submissionMode = controls?.submission !== undefined
  const local = submission.caller !== undefined && controls?.suppressLocalFixups !== true
  if (!local && !submissionMode)
    return { headers: [...given], sender: submission.sender, messageIdCreated: false }
  const headers = [...given]
  // A Resent-Bcc: that -t took away counts, too.
  const resent = headers.some((header) => /^resent-/i.test(header.text))
  const prefix = resent ? 'Resent-' : ''
  completeLogin(headers, prefix, submission, context)
  const created = await addMessageId(headers, prefix, submission, context)
  addFrom(headers, prefix, submission, context)
  const sender = fixSender(headers, prefix, submission, context)
  if (!has(headers, `${prefix}Date`)) {
    place(headers, prefix, `${prefix}Date: ${headerDate(submission.receivedAt)}\n`)
  }
  return { headers, sender, messageIdCreated: created }
}

/** A block of Resent- fields stands before what it resends: RFC 5322 section 3.6.6. */
function place(headers: Header[], prefix: string, text: ByteString): void {
  if (prefix === '') headers.push(makeHeader(text))
  else headers.unshift(makeHeader(text))
}

function has(headers: readonly Header[], name: string): boolean {
  return headers.some((header) => header.type !== '*' && isNamed(header, name))
}

async function addMessageId(
  headers: Header[],
  prefix: string,
  submission: Submission,
  context: Context,
): Promise<boolean> {
  if (has(headers, `${prefix}Message-ID`)) return false
  const { settings, server } = context
  const text = await expandOption(settings.message_id_header_text, context)
  const domain = (await expandOption(settings.message_id_header_domain, context)) ?? ''
  // Nothing that would end the id or the line comes from an option.
  const extra = text === undefined || text === '' ? '' : `.${text.replace(/[^!#-'*+./0-9=?A-Z^-~-]/g, '-')}`
  const host = domain === '' ? server.primaryHostname : domain.replace(/[^A-Za-z0-9.-]/g, '-')
  place(headers, prefix, `${prefix}Message-Id: <E${submission.id}${extra}@${host}>\n`)
  return true
}

/** `From: login` (in a message that is sent again: `Resent-From:`) of a message without dialogue becomes the full address. */
function completeLogin(headers: Header[], prefix: string, submission: Submission, context: Context): void {
  const caller = submission.caller
  if (caller === undefined || !submission.notSmtp) return
  const added: Header[] = []
  headers.forEach((header, index) => {
    if (header.type !== 'F' || !isNamed(header, `${prefix}From`)) return
    const body = headerBody(header.text).trim()
    if (body.toLowerCase() !== caller.login.toLowerCase()) return
    headers[index] = removed(header)
    const name = submission.fullName ?? caller.name
    const shown = `${name === '' ? '' : phrase(name)} <${ownAddress(caller.login, context)}>`
    const field = headerName(header.text) ?? 'From'
    added.push(makeHeader(`${field}: ${shown}\n`))
  })
  headers.push(...added)
}

function addFrom(headers: Header[], prefix: string, submission: Submission, context: Context): void {
  if (has(headers, `${prefix}From`)) return
  const address = createdAddress(submission, context, true)
  if (address === undefined) return
  headers.push(makeHeader(`${prefix}From: ${address}\n`))
}

/** The address of a created From: line, or undefined when there is nothing to make it of. */
function createdAddress(
  submission: Submission,
  context: Context,
  envelopeFirst: boolean,
): ByteString | undefined {
  const mode = context.message?.controls.submission
  if (mode === undefined) {
    const caller = submission.caller
    if (caller === undefined) return undefined
    // A bounce has no sender to show, but an untrusted caller has.
    if (submission.sender === '')
      return caller.trusted ? undefined : constructed(submission, caller.login, context)
    if (submission.sender === ownAddress(caller.login, context) && context.message?.local !== false)
      return constructed(submission, caller.login, context)
    // Another sender than the caller has no name but the one that was given with it, or the caller's whose name stays.
    return named(submission.fullName ?? (caller.trusted ? '' : caller.name), submission.sender)
  }
  if (envelopeFirst && submission.sender !== '') return named(mode.name ?? '', submission.sender)
  const own = submissionAddress(context)
  return own === undefined ? undefined : named(mode.name ?? '', own)
}

/** The address that submission mode believes in. */
function submissionAddress(context: Context): ByteString | undefined {
  const mode = context.message?.controls.submission
  const id = context.connection?.authenticatedId
  if (mode === undefined || id === undefined || id === '') return undefined
  if (mode.domain === '') return id
  return `${quotedLocalPart(id)}@${mode.domain ?? context.server.qualifyDomain}`
}

/** Removes and adds Sender:, and gives the envelope sender that follows from it. */
function fixSender(headers: Header[], prefix: string, submission: Submission, context: Context): ByteString {
  const { settings, message } = context
  const mode = message?.controls.submission
  if (mode?.senderRetain === true) return submission.sender
  const untrusted = submission.caller !== undefined && !submission.caller.trusted
  if (mode === undefined && !untrusted) return submission.sender
  if (!settings.local_sender_retain) {
    headers.forEach((header, index) => {
      if (header.type === 'S') headers[index] = removed(header)
    })
  }
  const own =
    mode === undefined ? ownAddress(submission.caller?.login ?? '', context) : submissionAddress(context)
  if (own === undefined) return submission.sender
  if (!settings.local_from_check) return submission.sender
  if (fromIs(headers, prefix, own, settings)) return mode === undefined ? submission.sender : own
  const display =
    mode === undefined
      ? constructed(submission, submission.caller?.login ?? '', context)
      : named(mode.name ?? '', own)
  headers.push(makeHeader(`${prefix}Sender: ${display}\n`))
  // Without submission mode, untrusted_set_sender lets the caller choose it: Sender: tells who it was.
  return mode === undefined || submission.sender === '' ? submission.sender : own
}

function fromIs(
  headers: readonly Header[],
  prefix: string,
  own: ByteString,
  settings: Context['settings'],
): boolean {
  const from = headers.find((header) => header.type === 'F' && isNamed(header, `${prefix}From`))
  if (from === undefined) return false
  const items = splitAddressList(headerBody(from.text))
  if (items.length !== 1) return false
  const parsed = parseAddress(items[0]?.text ?? '')
  if (parsed.is !== 'address') return false
  const at = own.lastIndexOf('@')
  if (parsed.domain.toLowerCase() !== own.slice(at + 1).toLowerCase()) return false
  const { local_from_prefix: before, local_from_suffix: after } = settings
  const candidates = stripped(parsed.localPart, before ?? '', 'prefix').flatMap((one) =>
    stripped(one, after ?? '', 'suffix'),
  )
  return candidates.includes(own.slice(0, at))
}

/** The local part as it is, and without the affix; a `*` in the affix stands for anything. */
function stripped(localPart: ByteString, affix: ByteString, kind: 'prefix' | 'suffix'): ByteString[] {
  if (affix === '') return [localPart]
  if (kind === 'prefix') {
    const fixed = affix.startsWith('*') ? affix.slice(1) : affix
    const at = affix.startsWith('*') ? localPart.lastIndexOf(fixed) : localPart.startsWith(fixed) ? 0 : -1
    return at < 0 ? [localPart] : [localPart, localPart.slice(at + fixed.length)]
  }
  const fixed = affix.endsWith('*') ? affix.slice(0, -1) : affix
  const at = affix.endsWith('*')
    ? localPart.indexOf(fixed)
    : localPart.endsWith(fixed)
      ? localPart.length - fixed.length
      : -1
  return at < 0 ? [localPart] : [localPart, localPart.slice(0, at)]
}

function ownAddress(login: ByteString, context: Context): ByteString {
  return `${login}@${context.server.qualifyDomain}`
}

/** `User Name <login@qualify_domain>`. Source: Exim manual, "Constructed addresses". */
function constructed(submission: Submission, login: ByteString, context: Context): ByteString {
  return named(submission.fullName ?? submission.caller?.name ?? '', ownAddress(login, context))
}

function named(name: ByteString, address: ByteString): ByteString {
  return name === '' ? address : `${phrase(name)} <${address}>`
}
