/**
 * Aggregate reports of others: those of RFC 9990 and of RFC 7489, with or without namespace; unknown elements are skipped.
 * A door: it uses a library for XML. Source: RFC 9990 section 3.1; RFC 7489 appendix C.
 */
import { XMLParser } from 'fast-xml-parser'

/** One row of a received report. */
export interface ReceivedRow {
  readonly sourceIp: string
  readonly count: number
  readonly disposition: string
  readonly dkim: string
  readonly spf: string
  readonly headerFrom: string
}

export interface ReceivedReport {
  readonly organization: string
  readonly id: string
  readonly domain: string
  /** Seconds since 1970. */
  readonly begin: number
  readonly end: number
  readonly policy: string
  readonly rows: readonly ReceivedRow[]
}

const MOST_ROWS = 200_000

export function readReport(xml: string): ReceivedReport | { readonly problem: string } {
  // A report has no use for them, and expanding entities is how XML is made to explode.
  if (/<!(?:DOCTYPE|ENTITY)/i.test(xml)) return { problem: 'has a document type, which no report has' }
  let tree: unknown
  try {
    const parser = new XMLParser({ ignoreAttributes: true, removeNSPrefix: true, parseTagValue: false })
    tree = parser.parse(xml)
  } catch (error) {
    return { problem: `is no XML: ${error instanceof Error ? error.message : String(error)}` }
  }
  const feedback = part(tree, 'feedback')
  if (feedback === undefined) return { problem: 'is no aggregate report' }
  const metadata = part(feedback, 'report_metadata')
  const range = part(metadata, 'date_range')
  const published = part(feedback, 'policy_published')
  const domain = text(published, 'domain')
  if (domain === '') return { problem: 'names no domain' }
  return {
    organization: text(metadata, 'org_name'),
    id: text(metadata, 'report_id'),
    domain,
    begin: number(text(range, 'begin')),
    end: number(text(range, 'end')),
    policy: text(published, 'p'),
    rows: list(feedback, 'record').slice(0, MOST_ROWS).map(rowOf),
  }
}

function rowOf(record: unknown): ReceivedRow {
  const row = part(record, 'row')
  const evaluated = part(row, 'policy_evaluated')
  return {
    sourceIp: text(row, 'source_ip'),
    count: number(text(row, 'count')),
    disposition: text(evaluated, 'disposition'),
    dkim: text(evaluated, 'dkim'),
    spf: text(evaluated, 'spf'),
    headerFrom: text(part(record, 'identifiers'), 'header_from'),
  }
}

/** A child, the first when there are several. */
function part(parent: unknown, name: string): unknown {
  return list(parent, name)[0]
}

function list(parent: unknown, name: string): unknown[] {
  if (typeof parent !== 'object' || parent === null) return []
  const child: unknown = Object.getOwnPropertyDescriptor(parent, name)?.value
  if (child === undefined) return []
  return Array.isArray(child) ? child : [child]
}

/** Text of a child, on one line and without control characters. */
function text(parent: unknown, name: string): string {
  const child = part(parent, name)
  return typeof child === 'string'
    ? child
        .trim()
        .replaceAll(/[\x00-\x1f\x7f]+/g, ' ')
        .slice(0, 300)
    : ''
}

function number(value: string): number {
  return /^\d{1,15}$/.test(value) ? Number(value) : 0
}
