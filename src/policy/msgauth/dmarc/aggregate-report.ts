/** Aggregate reports as XML, and the message that carries one. Source: RFC 9990 sections 3.1 and 3.5. */
import { gzipSync } from 'node:zlib'
import { type ByteString, decodeUtf8 } from '../../../base/text.ts'
import type { Published, ReportRow } from './aggregate-store.ts'

export interface AggregateReport {
  readonly organization: ByteString
  readonly email: ByteString
  /** Letters and digits: it stands in the subject, the file name and the report. */
  readonly id: string
  /** Seconds since 1970 of the period. */
  readonly begin: number
  readonly end: number
  readonly generator: string
  readonly published: Published
  readonly rows: readonly { readonly row: ReportRow; readonly count: number }[]
}

export function reportXml(report: AggregateReport): string {
  const { published } = report
  return (
    '<?xml version="1.0" encoding="UTF-8"?>\n<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0">\n' +
    '  <version>1.0</version>\n  <report_metadata>\n' +
    lines(4, [
      ['org_name', report.organization],
      ['email', report.email],
      ['report_id', report.id],
    ]) +
    `    <date_range><begin>${report.begin}</begin><end>${report.end}</end></date_range>\n` +
    lines(4, [['generator', report.generator]]) +
    '  </report_metadata>\n  <policy_published>\n' +
    lines(4, [
      ['domain', published.domain],
      ['discovery_method', published.discovery],
      ['p', published.p],
      ['sp', published.sp],
      ['np', published.np],
      ['fo', published.fo],
      ['adkim', published.adkim],
      ['aspf', published.aspf],
      ['testing', published.testing ? 'y' : 'n'],
    ]) +
    `  </policy_published>\n${report.rows.map(recordXml).join('')}</feedback>\n`
  )
}

function recordXml({ row, count }: { readonly row: ReportRow; readonly count: number }): string {
  const word = (aligned: boolean): string => (aligned ? 'pass' : 'fail')
  const reason =
    row.reason === undefined
      ? ''
      : `        <reason>\n${lines(10, [
          ['type', row.reason.type],
          ['comment', row.reason.comment],
        ])}        </reason>\n`
  const dkim = row.dkim.map(
    (each) =>
      `      <dkim>\n${lines(8, [
        ['domain', each.domain],
        ['selector', each.selector],
        ['result', each.result],
      ])}      </dkim>\n`,
  )
  const spf =
    row.spf === undefined
      ? ''
      : `      <spf>\n${lines(8, [
          ['domain', row.spf.domain],
          ['scope', 'mfrom'],
          ['result', row.spf.result],
        ])}      </spf>\n`
  return (
    '  <record>\n    <row>\n' +
    lines(6, [
      ['source_ip', row.sourceIp],
      ['count', String(count)],
    ]) +
    '      <policy_evaluated>\n' +
    lines(8, [
      ['disposition', row.disposition],
      ['dkim', word(row.dkimAligned)],
      ['spf', word(row.spfAligned)],
    ]) +
    `${reason}      </policy_evaluated>\n    </row>\n    <identifiers>\n` +
    lines(6, [
      ['header_from', row.headerFrom],
      ['envelope_from', row.envelopeFrom],
    ]) +
    `    </identifiers>\n    <auth_results>\n${dkim.join('')}${spf}    </auth_results>\n  </record>\n`
  )
}

function lines(indent: number, elements: readonly (readonly [string, ByteString | undefined])[]): string {
  return elements
    .flatMap(([name, value]) =>
      value === undefined ? [] : [`${' '.repeat(indent)}<${name}>${escaped(value)}</${name}>\n`],
    )
    .join('')
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' }

/** Bytes that are UTF-8 as they are; what XML cannot hold becomes a question mark. */
function escaped(value: ByteString): string {
  return decodeUtf8(value)
    .replaceAll(/[^\t\n\x20-\ud7ff\ue000-\ufffd]/g, '?')
    .replaceAll(/[&<>]/g, (char) => entities[char] ?? '')
}

/** `receiver!policy-domain!begin!end!unique-id.xml.gz`: section 3.5.1. */
export function reportFileName(report: AggregateReport, receiver: string): string {
  return `${receiver}!${report.published.domain}!${report.begin}!${report.end}!${report.id}.xml.gz`
}

/** The whole message, LF line ends. */
export function reportMessage(
  report: AggregateReport,
  mail: { readonly from: ByteString; readonly to: ByteString; readonly receiver: string },
): ByteString {
  const file = reportFileName(report, mail.receiver)
  const coded = gzipSync(Buffer.from(reportXml(report), 'utf8')).toString('base64')
  const boundary = `dmarc-${report.id}`
  const day = new Date(report.begin * 1000).toISOString().slice(0, 10)
  return (
    `From: ${mail.from}\nTo: ${mail.to}\n` +
    `Subject: Report Domain: ${report.published.domain}\n Submitter: ${mail.receiver}\n Report-ID: <${report.id}>\n` +
    'Auto-Submitted: auto-generated\nMIME-Version: 1.0\n' +
    `Content-Type: multipart/mixed;\n boundary="${boundary}"\n\n` +
    `--${boundary}\nContent-Type: text/plain; charset=us-ascii\n\n` +
    `This is the DMARC aggregate report of ${mail.receiver} about ${report.published.domain} for ${day} (UTC).\n\n` +
    `--${boundary}\nContent-Type: application/gzip;\n name="${file}"\nContent-Transfer-Encoding: base64\n` +
    `Content-Disposition: attachment;\n filename="${file}"\n\n` +
    `${coded.replaceAll(/.{76}/g, '$&\n')}\n--${boundary}--\n`
  )
}
