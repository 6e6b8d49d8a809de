/** Where header lines that ACLs added go. Source: Exim manual, "Adding header lines in ACLs". */
import type { ByteString } from '../../base/text.ts'
import type { Header } from '../../mail/envelope.ts'
import { headerName, makeHeader } from '../../mail/header.ts'

/** Fields that RFC 5322 section 3.6 calls trace or resent: what follows them is the first other one. */
const traceNames = new Set([
  'received',
  'return-path',
  'resent-date',
  'resent-from',
  'resent-sender',
  'resent-to',
  'resent-cc',
  'resent-bcc',
  'resent-message-id',
])

/** Where an added line goes is told before it: `:at_start:X-Spam: yes`. Without a place it goes to the end. */
const placePattern = /^:(at_start|at_end|after_received|at_start_rfc):\s*/

/** Merges added lines into the headers of a message, each at its place. */
export function mergeAddedHeaders(headers: readonly Header[], added: readonly ByteString[]): Header[] {
  const result = [...headers]
  for (const text of added) {
    const place = placePattern.exec(text)
    const line = place === null ? text : text.slice(place[0].length)
    const header = makeHeader(line.endsWith('\n') ? line : `${line}\n`)
    if (place?.[1] === 'at_start') result.unshift(header)
    else if (place?.[1] === 'after_received') result.splice(afterReceived(result), 0, header)
    else if (place?.[1] === 'at_start_rfc') result.splice(firstNonTrace(result), 0, header)
    else result.push(header)
  }
  return result
}

/** Marks the headers with these names as removed. */
export function removeNamed(headers: readonly Header[], names: readonly string[]): Header[] {
  const wanted = new Set(names.map((name) => name.replace(/:\s*$/, '').trim().toLowerCase()))
  return headers.map((header) =>
    header.type !== '*' && wanted.has(nameOf(header)) ? { type: '*', text: header.text } : header,
  )
}

/** After the first block of Received: lines. */
function afterReceived(headers: readonly Header[]): number {
  const first = headers.findIndex((header) => header.type === 'P')
  if (first < 0) return 0
  let at = first
  while (headers[at]?.type === 'P') at++
  return at
}

function firstNonTrace(headers: readonly Header[]): number {
  const at = headers.findIndex((header) => header.type !== '*' && !traceNames.has(nameOf(header)))
  return at < 0 ? headers.length : at
}

function nameOf(header: Header): string {
  return headerName(header.text)?.toLowerCase() ?? ''
}
