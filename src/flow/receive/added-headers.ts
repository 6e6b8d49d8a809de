/** Where header lines that ACLs added go. Source: Exim manual, "Adding header lines in ACLs". */
import type { ByteString } from '../../base/text.ts'
import type { Header } from '../../mail/envelope.ts'
import { headerName, makeHeader } from '../../mail/header.ts'
import type { HeaderPlace } from '../../ports.ts'

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

/** Merges added lines into the headers of a message, each at its place; without one it goes to the end. */
export function mergeAddedHeaders(
  headers: readonly Header[],
  added: readonly ByteString[],
  places: ReadonlyMap<string, HeaderPlace> | undefined,
): Header[] {
  const result = [...headers]
  for (const text of added) {
    const header = makeHeader(text.endsWith('\n') ? text : `${text}\n`)
    const place = places?.get(text) ?? 'at_end'
    if (place === 'at_start') result.unshift(header)
    else if (place === 'after_received') result.splice(afterReceived(result), 0, header)
    else if (place === 'at_start_rfc') result.splice(firstNonTrace(result), 0, header)
    else result.push(header)
  }
  return result
}

/** Marks the headers with these names as removed. */
export function removeNamed(headers: readonly Header[], names: readonly string[]): Header[] {
  const wanted = new Set(names.map((name) => name.replace(/:\s*$/, '').trim().toLowerCase()))
  return headers.map((header) =>
    header.type !== '*' && wanted.has(headerName(header.text).toLowerCase())
      ? { type: '*', text: header.text }
      : header,
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
  const at = headers.findIndex(
    (header) => header.type !== '*' && !traceNames.has(headerName(header.text).toLowerCase()),
  )
  return at < 0 ? headers.length : at
}
