/** What `postern dmarc show` and `postern dmarc import` do with the collected results. */
import { decodeUtf8, fromBytes } from '../base/text.ts'
import { addRow, dayOf, storedRows } from '../policy/msgauth/dmarc/aggregate-store.ts'
import { readHistory } from '../policy/msgauth/dmarc/read-history.ts'
import { readReport, type ReceivedReport } from '../policy/msgauth/dmarc/read-report.ts'
import { unpack } from '../policy/msgauth/dmarc/unpack.ts'
import type { Hints } from '../ports.ts'

interface ReceivedSummary extends Omit<ReceivedReport, 'rows'> {
  readonly messages: number
  readonly passed: number
  readonly failing: readonly {
    readonly sourceIp: string
    readonly headerFrom: string
    readonly count: number
  }[]
}

const MOST_SOURCES = 20

/** Takes a history file or a received report. @returns what to tell, or why it is neither */
export async function importFile(
  hints: Hints,
  bytes: Uint8Array,
): Promise<{ readonly said: string } | { readonly problem: string }> {
  const unpacked = unpack(bytes)
  if ('problem' in unpacked) return unpacked
  const text = fromBytes(unpacked.bytes)
  if (/^\s*(?:\xef\xbb\xbf)?\s*</.test(text)) return importReport(hints, decodeUtf8(text))
  // On a day without mail cron finds it empty.
  if (text.trim() !== '' && !/^job /m.test(text))
    return { problem: 'is neither a history file nor an aggregate report' }
  const { entries, broken } = readHistory(text)
  for (const { receivedAt, published, row } of entries) await addRow(hints, dayOf(receivedAt), published, row)
  const rest = broken === 0 ? '' : `, ${broken} incomplete ${broken === 1 ? 'block' : 'blocks'} left out`
  return {
    said: `${entries.length} ${entries.length === 1 ? 'message' : 'messages'} of a history file${rest}`,
  }
}

function importReport(hints: Hints, xml: string): { readonly said: string } | { readonly problem: string } {
  const report = readReport(xml)
  if ('problem' in report) return report
  const summary = summarize(report)
  // The same report may come twice: RFC 9990 section 3.5.4.
  hints.put('dmarc', `received ${report.domain} ${report.begin} ${report.organization} ${report.id}`, summary)
  return {
    said: `report of ${report.organization} about ${report.domain}: ${summary.passed} of ${summary.messages} messages passed`,
  }
}

function summarize({ rows, ...head }: ReceivedReport): ReceivedSummary {
  const failing = new Map<string, { sourceIp: string; headerFrom: string; count: number }>()
  let [messages, passed] = [0, 0]
  for (const { count, dkim, spf, sourceIp, headerFrom } of rows) {
    messages += count
    if (dkim === 'pass' || spf === 'pass') {
      passed += count
      continue
    }
    const key = `${sourceIp} ${headerFrom}`
    const old = failing.get(key)
    if (old === undefined) failing.set(key, { sourceIp, headerFrom, count })
    else old.count += count
  }
  const worst = [...failing.values()].sort((a, b) => b.count - a.count).slice(0, MOST_SOURCES)
  return { ...head, messages, passed, failing: worst }
}

/** Lines about what waits to be reported and what others reported. */
export function* describeRecords(hints: Hints, domain: string | undefined): Iterable<string> {
  const wanted = (name: string): boolean =>
    domain === undefined || name.toLowerCase() === domain.toLowerCase()
  let any = false
  for (const { stored } of storedRows(hints)) {
    const { day, published, row, count } = stored
    if (!wanted(published.domain)) continue
    if (!any) yield 'collected, not yet reported:'
    any = true
    yield `  ${day} ${published.domain} p=${published.p} ${count} from ${row.sourceIp} header.from=${row.headerFrom} ` +
      `dkim=${row.dkimAligned ? 'pass' : 'fail'} spf=${row.spfAligned ? 'pass' : 'fail'} ${row.disposition}`
  }
  let others = false
  for (const { value } of hints.entries('dmarc', { start: 'received ', end: 'received!' })) {
    // Only `importReport` writes under these keys.
    const summary = value as ReceivedSummary
    if (!wanted(summary.domain)) continue
    if (!others) yield 'reported by others:'
    others = true
    yield `  ${dayOf(summary.begin * 1000)} ${summary.domain} p=${summary.policy} by ${summary.organization}: ${summary.passed} of ${summary.messages} passed`
    for (const { sourceIp, headerFrom, count } of summary.failing)
      yield `    ${count} failed from ${sourceIp} as ${headerFrom}`
  }
  for (const { key, value } of hints.entries('dmarc', { start: 'bounced ', end: 'bounced!' })) {
    if (domain === undefined && typeof value === 'number')
      yield `no reports to ${key.slice('bounced '.length)}: one bounced on ${dayOf(value)}`
  }
  if (!any && !others) yield 'nothing collected'
}
