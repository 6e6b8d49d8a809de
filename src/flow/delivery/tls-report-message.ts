/** A TLS report on its way: the file, its name, and the message that carries it. Source: RFC 8460 sections 3, 5.1 and 5.3. */
import { gzipSync } from 'node:zlib'
import { encodeUtf8, type ByteString } from '../../base/text.ts'
import type { TlsReport } from './tls-reports.ts'

export function packedReport(report: TlsReport): Buffer {
  return gzipSync(Buffer.from(JSON.stringify(report), 'utf8'))
}

/** `mail.sender.example!policy.example!1740000000!1740086399.json.gz` */
export function tlsReportFileName(report: TlsReport, domain: string, submitter: string): string {
  const { 'start-datetime': start, 'end-datetime': end } = report['date-range']
  return `${submitter}!${domain}!${Date.parse(start) / 1000}!${Date.parse(end) / 1000}.json.gz`
}

export interface TlsReportMail {
  readonly domain: string
  readonly from: ByteString
  readonly to: ByteString
  /** The domain of this host. */
  readonly submitter: string
  readonly packed: Buffer
}

/** The whole message, LF line ends. */
export function tlsReportMessage(report: TlsReport, mail: TlsReportMail): ByteString {
  const { domain, submitter } = mail
  const file = tlsReportFileName(report, domain, submitter)
  const id = `<${report['report-id']}@${submitter}>`
  const boundary = `tlsrpt-${Date.parse(report['date-range']['start-datetime']) / 1000}-${mail.packed.length}`
  const day = report['date-range']['start-datetime'].slice(0, 10)
  return encodeUtf8(
    `From: ${mail.from}\nTo: ${mail.to}\n` +
      `Subject: Report Domain: ${domain}\n Submitter: ${submitter}\n Report-ID: ${id}\n` +
      `TLS-Report-Domain: ${domain}\nTLS-Report-Submitter: ${submitter}\n` +
      'Auto-Submitted: auto-generated\nMIME-Version: 1.0\n' +
      `Content-Type: multipart/report; report-type="tlsrpt";\n boundary="${boundary}"\n\n` +
      `--${boundary}\nContent-Type: text/plain; charset="us-ascii"\nContent-Transfer-Encoding: 7bit\n\n` +
      `This is the TLS report of ${submitter} about ${domain} for ${day} (UTC).\n\n` +
      `--${boundary}\nContent-Type: application/tlsrpt+gzip\nContent-Transfer-Encoding: base64\n` +
      `Content-Disposition: attachment;\n filename="${file}"\n\n` +
      `${mail.packed.toString('base64').replaceAll(/.{76}/g, '$&\n')}\n--${boundary}--\n`,
  )
}
