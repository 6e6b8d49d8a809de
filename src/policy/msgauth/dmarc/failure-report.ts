/**
 * Failure reports: when one is due, and its text. Sources: RFC 9991, RFC 6591, RFC 5965; the fields of 2014 in the text
 * part: requirement D19.
 */
import type { ByteString } from '../../../base/text.ts'
import type { DmarcEvaluation, DmarcFacts } from '../../../mail/dmarc-facts.ts'
import type { Header } from '../../../mail/envelope.ts'
import { headerBody, isNamed, unfold } from '../../../mail/header.ts'
import { printable } from '../../../mail/log-lines.ts'
import { redactHeader, redactLocalPart, redactText } from './redact.ts'

/** What is reported: RFC 9989 section 4.7, "fo". */
export type FailureKind = 'dmarc' | 'signature' | 'spf'

const LONGEST_HEADERS = 64 * 1024

/** The kind of report that a message asks for; undefined: none is due. Requirement D19. */
export function dueReport(facts: DmarcFacts, enforcedOnly: boolean): FailureKind | undefined {
  const { evaluation } = facts
  const policy = evaluation?.policy
  if (evaluation === undefined || policy === undefined || policy.ofSuffix) return undefined
  if (policy.record.ruf.length === 0) return undefined
  const failed = evaluation.result === 'fail'
  const enforced = failed && facts.status !== 'none' && facts.status === policy.selected
  if (enforcedOnly && !enforced) return undefined
  if (evaluation.result === 'temperror') return undefined
  const { fo } = policy.record
  if (fo.includes('0') && failed) return 'dmarc'
  if (fo.includes('1') && !(evaluation.spfAligned && evaluation.dkimAligned)) return 'dmarc'
  if (fo.includes('d') && evaluation.dkim.some(({ result }) => result === 'fail' || result === 'permerror')) {
    return 'signature'
  }
  if (fo.includes('s') && /^(?:fail|softfail|permerror)$/.test(evaluation.spf.result)) return 'spf'
  return undefined
}

/** A report is never about a report: neither answers nor DMARC may make a loop of them. RFC 9991 section 5.1. */
export function isReportItself(headers: readonly Header[]): boolean {
  const value = (name: string): ByteString | undefined => {
    const header = headers.find((each) => each.type !== '*' && isNamed(each, name))
    return header === undefined ? undefined : unfold(headerBody(header)).toLowerCase()
  }
  const type = value('content-type') ?? ''
  const automatic = value('auto-submitted') ?? 'no'
  return /^(?:multipart\/report|message\/feedback-report)\b/.test(type) || !/^no\b/.test(automatic)
}

export interface FailureReport {
  readonly kind: FailureKind
  readonly facts: DmarcFacts
  readonly evaluation: DmarcEvaluation
  readonly from: ByteString
  readonly to: ByteString
  readonly reporter: string
  readonly product: string
  readonly clientAddress: string
  readonly sender: ByteString
  readonly envelopeId: ByteString | undefined
  readonly recipients: readonly ByteString[]
  /** As headers write dates. */
  readonly received: string
  readonly fate: 'delivered' | 'reject' | 'policy' | 'other'
  readonly headers: readonly Header[]
  /** The record of the SPF domain, when it is known. */
  readonly spfRecord: ByteString | undefined
  /** How many failures this one stands for. */
  readonly incidents: number
  /** Undefined: nothing is made unreadable. */
  readonly secret: string | undefined
  readonly boundary: string
}

/** The whole message, LF line ends. */
export function failureReportText(report: FailureReport): ByteString {
  const subject = report.headers.find((each) => each.type !== '*' && isNamed(each, 'subject'))
  const words = subject === undefined ? '' : oneLine(unfold(headerBody(subject)))
  const { secret, boundary } = report
  const shownSubject = secret === undefined ? words : redactText(words, secret)
  return (
    `From: ${report.from}\nTo: ${report.to}\nSubject: FW: ${shownSubject}\n` +
    'Auto-Submitted: auto-generated\nMIME-Version: 1.0\n' +
    `Content-Type: multipart/report; report-type=feedback-report;\n boundary="${boundary}"\n\n` +
    `--${boundary}\nContent-Type: text/plain; charset=us-ascii\n\n${textPart(report)}\n` +
    `--${boundary}\nContent-Type: message/feedback-report\n\n${feedbackPart(report)}\n` +
    `--${boundary}\nContent-Type: text/rfc822-headers\nContent-Transfer-Encoding: 8bit\n\n${headersPart(report)}\n` +
    `--${boundary}--\n`
  )
}

function yesNo(is: boolean): string {
  return is ? 'yes' : 'no'
}

/** The fields of 2014. */
function textPart({ facts, evaluation, clientAddress, received }: FailureReport): ByteString {
  return (
    'A message that claims to come from your domain did not pass the checks that your DMARC record asks for.\n\n' +
    `Sender Domain: ${facts.author}\nSender IP Address: ${clientAddress}\nReceived Date: ${received}\n` +
    `SPF Alignment: ${yesNo(evaluation.spfAligned)}\nDKIM Alignment: ${yesNo(evaluation.dkimAligned)}\n` +
    `DMARC Results: ${facts.statusText}\n\nThe headers of the message follow.\n`
  )
}

function feedbackPart(report: FailureReport): ByteString {
  const { facts, evaluation, secret, kind } = report
  const mail = (address: ByteString): ByteString => {
    const at = address.lastIndexOf('@')
    if (secret === undefined || at < 0) return oneLine(address)
    return oneLine(`${redactLocalPart(address.slice(0, at), secret)}${address.slice(at)}`)
  }
  const failed = [...(evaluation.dkimAligned ? [] : ['dkim']), ...(evaluation.spfAligned ? [] : ['spf'])]
  const policy = evaluation.policy
  const lines = [
    'Feedback-Type: auth-failure',
    'Version: 1',
    `User-Agent: ${report.product}`,
    `Auth-Failure: ${kind}`,
    `Authentication-Results: ${report.reporter}; dmarc=${evaluation.result} header.from=${facts.author}` +
      (policy === undefined ? '' : ` policy.dmarc=${policy.evaluated}`),
    // RFC 9991 section 4: the mechanisms that failed.
    `Identity-Alignment: ${failed.length === 0 ? 'none' : failed.join(', ')}`,
    `Reported-Domain: ${facts.author}`,
    `Source-IP: ${report.clientAddress.includes(':') ? 'IPv6:' : ''}${report.clientAddress}`,
    `Original-Mail-From: <${mail(report.sender)}>`,
    ...(report.envelopeId === undefined ? [] : [`Original-Envelope-Id: ${oneLine(report.envelopeId)}`]),
    ...report.recipients.map((each) => `Original-Rcpt-To: <${mail(each)}>`),
    `Arrival-Date: ${report.received}`,
    `Reporting-MTA: dns; ${report.reporter}`,
    `Delivery-Result: ${report.fate}`,
    `Incidents: ${report.incidents}`,
    ...dkimLines(report, mail),
    ...spfLines(report),
  ]
  return `${lines.join('\n')}\n`
}

/** Required when a signature of an aligned domain failed. */
function dkimLines({ evaluation }: FailureReport, mail: (address: ByteString) => ByteString): ByteString[] {
  if (evaluation.dkimAligned) return []
  const one = evaluation.dkim.find((each) => each.aligned !== 'no') ?? evaluation.dkim[0]
  if (one === undefined) return []
  const identity = one.identity === '' ? `@${one.domain}` : one.identity
  return [
    `DKIM-Domain: ${oneLine(one.domain)}`,
    `DKIM-Identity: ${identity.startsWith('@') ? oneLine(identity) : mail(identity)}`,
    `DKIM-Selector: ${oneLine(one.selector)}`,
  ]
}

function spfLines({ evaluation, spfRecord }: FailureReport): ByteString[] {
  if (evaluation.spfAligned || spfRecord === undefined) return []
  const record = oneLine(spfRecord).replaceAll(/["\\]/g, (char) => `\\${char}`)
  return [`SPF-DNS: txt : ${oneLine(evaluation.spf.domain)} : "${record}"`]
}

function headersPart({ headers, secret, boundary }: FailureReport): ByteString {
  let text = ''
  for (const header of headers) {
    if (header.type === '*') continue
    const shown = secret === undefined ? header.text : redactHeader(header.text, secret)
    if (text.length + shown.length > LONGEST_HEADERS) break
    text += shown.endsWith('\n') ? shown : `${shown}\n`
  }
  // The boundary is random; all the same nothing may look like it.
  return text
    .replaceAll(`--${boundary}`, `- ${boundary}`)
    .replaceAll('\0', '?')
    .replaceAll(/\r(?!\n)/g, '?')
}

/** Nothing from outside begins a line of its own. */
function oneLine(text: ByteString): ByteString {
  return printable(text).slice(0, 500)
}
