/**
 * The block of one message in the history file, as the importer of OpenDMARC reads it.
 * Source: requirement 3.4; seen with opendmarc-import 1.4.2.
 */
import type { ByteString } from '../../../base/text.ts'
import type { ArcFacts } from '../../../mail/arc-facts.ts'
import type { AppliedPolicy, DmarcFacts } from '../../../mail/dmarc-facts.ts'

/** Results of SPF and DKIM as libopendmarc numbers them. */
const results: Readonly<Record<string, number>> = {
  pass: 0,
  softfail: 2,
  neutral: 3,
  temperror: 4,
  permerror: 5,
  none: 6,
  fail: 7,
  policy: 8,
}
const actions: Readonly<Record<string, number>> = { reject: 0, temperror: 3, quarantine: 4 }
const policies: Readonly<Record<string, number>> = { accept: 15, reject: 16, quarantine: 17 }
const accepted = 2
const noPolicy = 18
const aligned = 4
const notAligned = 5
/** ARC is told, and changes no result of ours: "unused". */
const arcUnused = 1

export interface HistoryMessage {
  readonly id: string
  readonly reporter: string
  readonly receivedAt: number
  readonly clientAddress: string
  /** When an ACL had the chain checked. */
  readonly arc: ArcFacts | undefined
}

export function historyBlock(facts: DmarcFacts, policy: AppliedPolicy, message: HistoryMessage): ByteString {
  const evaluation = facts.evaluation
  if (evaluation === undefined) return ''
  const { record } = policy
  const { spf, dkim, spfAligned, dkimAligned } = evaluation
  const spfNumber = results[spf.result]
  const lines = [
    `job ${message.id}`,
    `reporter ${message.reporter}`,
    `received ${Math.floor(message.receivedAt / 1000)}`,
    `ipaddr ${message.clientAddress}`,
    `from ${facts.author}`,
    `mfrom ${word(spf.domain)}`,
    ...(spfNumber === undefined ? [] : [`spf ${spfNumber}`]),
    ...dkim.map((each) => `dkim ${word(each.domain)} ${word(each.selector)} ${results[each.result] ?? -1}`),
    `pdomain ${policy.domain}`,
    `policy ${policies[facts.status] ?? noPolicy}`,
    ...(record.rua.length === 0 ? ['rua -'] : record.rua.map(({ uri }) => `rua ${uri}`)),
    `pct ${record.pct}`,
    `adkim ${code(record.adkim)}`,
    `aspf ${code(record.aspf)}`,
    `p ${code(record.p)}`,
    `sp ${code(record.sp)}`,
    `align_dkim ${dkimAligned ? aligned : notAligned}`,
    `align_spf ${spfAligned ? aligned : notAligned}`,
    `action ${actions[facts.status] ?? accepted}`,
    ...arcLines(message.arc),
  ]
  return `${lines.join('\n')}\n`
}

/** The importer takes no block without them. Of the seals the newest is named. */
function arcLines(arc: ArcFacts | undefined): string[] {
  const seals =
    arc === undefined || arc.instances === 0
      ? []
      : [{ i: arc.instances, d: word(arc.domains.at(-1) ?? ''), s: word(arc.selector) }]
  return [
    `arc ${results[arc?.state ?? 'none'] ?? 6}`,
    `arc_policy ${arcUnused} json:${JSON.stringify(seals)}`,
  ]
}

/** The first letter's code; 0 for what the record does not say. */
function code(value: string | undefined): number {
  return value === undefined ? 0 : value.charCodeAt(0)
}

/** What strangers wrote, without white space and control characters: it must stay one word of one line. */
function word(text: ByteString): ByteString {
  const clean = text.replaceAll(/[^\x21-\x7e]/g, '?').slice(0, 255)
  return clean === '' ? '-' : clean
}
