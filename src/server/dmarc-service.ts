/**
 * What happens after a message was checked for DMARC and its fate is known: it is counted for aggregate reports, and a
 * failure report goes out where the administrator and the domain want one. Sources: RFC 9990, RFC 9991; requirement D19.
 */
import { randomBytes } from 'node:crypto'
import type { ByteString } from '../base/text.ts'
import type { GeneratedMessage, Submitted } from '../flow/delivery/index.ts'
import type { DmarcFate } from '../flow/receive/services.ts'
import { headerDate } from '../mail/date.ts'
import { dmarcOf, type DmarcFacts } from '../mail/dmarc-facts.ts'
import { addRow, dayOf, publishedOf, rowOf } from '../policy/msgauth/dmarc/aggregate-store.ts'
import {
  dueReport,
  type FailureKind,
  failureReportText,
  isReportItself,
} from '../policy/msgauth/dmarc/failure-report.ts'
import { targetsOf } from '../policy/msgauth/dmarc/report-targets.ts'
import { modeOf } from '../policy/msgauth/dmarc/suffix-file.ts'
import type { Context, Hints, MessageFacts } from '../ports.ts'
import { reportSender } from './report-sender.ts'

/** Reports being made at once; what comes while so many are under way is counted and not reported. */
const MOST_AT_ONCE = 20
const HOUR_MS = 3_600_000

export interface DmarcService {
  settled(context: Context, fate: DmarcFate): void
}

export function createDmarcService(submit: (message: GeneratedMessage) => Promise<Submitted>): DmarcService {
  let underWay = 0
  return {
    settled(context, fate) {
      const { message, connection } = context
      const facts = dmarcOf(message)
      if (message === undefined || facts?.evaluation?.policy === undefined) return
      if (connection?.hostChecking === true) return wouldReport(context, facts)
      if (context.settings.dmarc_aggregate_reports) count(context, message, facts, fate)
      const kind = wanted(context, message, facts)
      if (kind === undefined || underWay >= MOST_AT_ONCE) return
      underWay++
      const copy: Context = { ...context, message: { ...message, headers: [...message.headers] } }
      report(copy, facts, kind, fate, submit)
        .catch((error: unknown) => {
          context.ports.log.panic(message.id, `failure to send DMARC forensic report: ${String(error)}`)
        })
        .finally(() => {
          underWay--
        })
    },
  }
}

function wouldReport(context: Context, facts: DmarcFacts): void {
  if (context.message === undefined || wanted(context, context.message, facts) === undefined) return
  context.debug?.('acl', 'DMARC: failure report (not really)')
}

function count(context: Context, message: MessageFacts, facts: DmarcFacts, fate: DmarcFate): void {
  const { evaluation } = facts
  const policy = evaluation?.policy
  // Without rua no report may be made: RFC 9989 section 4.7.
  if (evaluation === undefined || policy === undefined || policy.record.rua.length === 0) return
  const sender = message.sender ?? ''
  const row = rowOf(evaluation, policy, {
    sourceIp: context.connection?.hostAddress ?? '',
    envelopeFrom: sender.slice(sender.lastIndexOf('@') + 1).toLowerCase(),
    refused: fate === 'refused',
  })
  const { hints, log } = context.ports
  addRow(hints, dayOf(message.receivedAt), publishedOf(policy, evaluation), row).catch((error: unknown) => {
    log.panic(message.id, `DMARC: result not counted: ${String(error)}`)
  })
}

/** The kind of failure report that is due. */
function wanted(context: Context, message: MessageFacts, facts: DmarcFacts): FailureKind | undefined {
  if (!message.controls.dmarcEnableForensic) return undefined
  const { dmarc_forensic_policy } = context.settings
  const enforcedOnly =
    dmarc_forensic_policy === undefined
      ? facts.evaluation?.mode === 'rfc7489'
      : dmarc_forensic_policy === 'enforced'
  const kind = dueReport(facts, enforcedOnly)
  return kind === undefined || isReportItself(message.headers) ? undefined : kind
}

async function report(
  context: Context,
  facts: DmarcFacts,
  kind: FailureKind,
  fate: DmarcFate,
  submit: (message: GeneratedMessage) => Promise<Submitted>,
): Promise<void> {
  const { message, connection, ports, settings, server } = context
  const evaluation = facts.evaluation
  const policy = evaluation?.policy
  if (message === undefined || evaluation === undefined || policy === undefined) return
  const mode = await modeOf(context)
  const dns: Context['ports']['dns'] = (name, type) => ports.dns(name, type)
  const from = await reportSender(context)
  const targets = await targetsOf(policy.record.ruf, 'ruf', policy.domain, {
    dns,
    suffixes: mode.is === 'rfc7489' ? mode.suffixes : undefined,
  })
  const fates = { refused: 'reject', discarded: 'policy', accepted: 'delivered' } as const
  for (const target of targets) {
    const { address } = target
    if (target.is !== 'verified') {
      ports.log.main(message.id, `DMARC forensic report not sent to ${address}: ${target.why}`)
      continue
    }
    if (message.sender === '' && message.recipients.some((one) => one.address === from.envelope)) continue
    const incidents = await takeTurn(ports.hints, address, settings.dmarc_forensic_rate, ports.now())
    if (incidents === undefined) continue
    const text = failureReportText({
      kind,
      facts,
      evaluation,
      from: from.header,
      to: address,
      reporter: server.primaryHostname,
      product: `Postern/${server.posternVersion}`,
      clientAddress: connection?.hostAddress ?? '',
      sender: message.sender ?? '',
      envelopeId: undefined,
      recipients: message.recipients.slice(0, 20).map((one) => one.address),
      received: headerDate(message.receivedAt),
      fate: fates[fate],
      headers: message.headers,
      spfRecord: await spfRecordOf(evaluation.spf.domain, dns),
      incidents,
      secret: settings.dmarc_forensic_redact ? await secretOf(ports.hints) : undefined,
      boundary: `dmarc-${randomBytes(12).toString('hex')}`,
    })
    const submitted = await submit({
      sender: from.envelope,
      recipients: [address],
      text,
      about: message.id,
      isReport: false,
    })
    if (submitted.is === 'accepted') {
      ports.log.main(message.id, `DMARC forensic report sent to ${address} as ${submitted.id}`, {
        event: 'dmarc:forensic',
        to: address,
        domain: policy.domain,
      })
    } else {
      ports.log.panic(message.id, `failure to send DMARC forensic report to ${address}: ${submitted.message}`)
    }
  }
}

interface Turns {
  readonly hour: number
  readonly sent: number
  /** Failures that were not reported since the last report. */
  readonly held: number
}

/**
 * One report more to an address, within its rate: RFC 9991 section 2 demands a limit.
 * @returns how many failures it stands for; undefined: not now
 */
async function takeTurn(
  hints: Hints,
  address: ByteString,
  most: number,
  now: number,
): Promise<number | undefined> {
  const hour = Math.floor(now / HOUR_MS)
  let incidents: number | undefined
  await hints.update<Turns>('dmarc', `forensic ${address}`, (old) => {
    const sent = old?.hour === hour ? old.sent : 0
    const held = old?.held ?? 0
    if (sent >= most) return { hour, sent, held: held + 1 }
    incidents = held + 1
    return { hour, sent: sent + 1, held: 0 }
  })
  return incidents
}

/** Made once for an installation. */
async function secretOf(hints: Hints): Promise<string> {
  const made = randomBytes(24).toString('hex')
  const kept = await hints.update<string>('dmarc', 'secret', (old) => old ?? made)
  return kept ?? made
}

async function spfRecordOf(
  domain: ByteString,
  dns: Context['ports']['dns'],
): Promise<ByteString | undefined> {
  if (domain === '') return undefined
  const answer = await dns(domain, 'TXT')
  return answer.records
    .flatMap((record) => (record.type === 'TXT' ? [record.strings.join('')] : []))
    .find((text) => /^v=spf1(?: |$)/i.test(text))
}
