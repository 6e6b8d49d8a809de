/** Settings of SPF and DMARC that have no effect as they are written. Source: requirements S9 and D4. */
import type { Report } from '../../../base/diagnostic.ts'
import type { Expandable } from '../../../base/expandable.ts'
import { parseAddress } from '../../../mail/parse-address.ts'
import { isSpfRecord, parseRecord } from '../../../policy/msgauth/spf/record.ts'
import type { Check } from './subject.ts'

export const senderChecks: Check = {
  name: 'sender-checks',
  doc: 'A guessed SPF record that is none, and senders of reports that are no address.',
  run({ configuration: { main, mainSetAt } }, report) {
    const guess = mainSetAt.get('spf_guess')
    const wrong = recordMistake(main.spf_guess)
    if (guess !== undefined && wrong !== undefined)
      report({
        code: 'spf-guess',
        severity: 'warning',
        message: `spf_guess is no SPF record: ${wrong}`,
        at: guess,
        help: 'such as v=spf1 a/24 mx/24 ptr ?all',
      })
    for (const name of ['dmarc_forensic_sender', 'dmarc_report_sender'] as const)
      judgeSender(name, main[name], report)
  },
}

function recordMistake(record: string): string | undefined {
  if (!isSpfRecord(record)) return 'it does not begin with v=spf1, and is never asked'
  const parsed = parseRecord(record)
  return 'problem' in parsed ? parsed.problem : undefined
}

function judgeSender(name: string, setting: Expandable | undefined, report: Report): void {
  if (setting === undefined) return
  const text = setting.text.trim()
  // What is expanded is known when a report is made.
  if (text === '' || text === '<>' || /[$\\]/.test(text)) return
  const parsed = parseAddress(text)
  if (parsed.is === 'error')
    report({
      code: 'report-sender',
      severity: 'warning',
      message: `${name} is no address: ${parsed.message}`,
      at: setting.span(),
      help: 'such as reports@example.com, or Reports <reports@example.com>',
    })
}
