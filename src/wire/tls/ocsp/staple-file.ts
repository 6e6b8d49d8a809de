/**
 * Reads the files of `tls_ocsp_file`: an OCSP response in DER or PEM, and certificates that stand beside it.
 * Source: Exim manual, main option `tls_ocsp_file`; requirements O1, O5.
 */
import { derParts } from './der.ts'

export interface StapleFile {
  readonly path: string
  /** The prefix: what the file is taken for. */
  readonly format: 'DER' | 'PEM'
  /** Fetched by ourselves: that it is not there yet needs no word. */
  readonly ours?: boolean
}

/** A prefix `DER ` or `PEM ` counts for its file and those that follow; an empty item stands for "no proof". */
export function stapleFiles(items: readonly string[]): (StapleFile | undefined)[] {
  let format: StapleFile['format'] = 'DER'
  return items.map((item) => {
    const prefixed = /^(DER|PEM) (.*)$/s.exec(item)
    if (prefixed !== null) format = prefixed[1] === 'PEM' ? 'PEM' : 'DER'
    const path = (prefixed?.[2] ?? item).trim()
    return path === '' ? undefined : { path, format }
  })
}

export interface StapleContent {
  readonly responses: readonly Buffer[]
  /** For our own verification; only what is inside the response travels to clients. */
  readonly certificates: readonly Buffer[]
}

/** Both readings of 2014: certificates inside the response, or after it in the file. PEM is known by its look too. */
export function readStapleFile(
  bytes: Buffer,
  format: StapleFile['format'],
): StapleContent | { readonly problem: string } {
  if (format === 'PEM' || (bytes[0] !== 0x30 && looksLikePem(bytes))) return fromPem(bytes)
  const parts = leading(bytes)
  if (parts === undefined) return { problem: 'it is no OCSP response in DER' }
  const { response, rest } = parts
  if (rest.length === 0) return { responses: [response], certificates: [] }
  if (looksLikePem(rest)) return { responses: [response], certificates: pemBlocks(rest, 'CERTIFICATE') }
  const certificates = derParts(rest)?.map(({ whole }) => whole)
  return certificates === undefined
    ? { problem: 'what follows the OCSP response is no certificate' }
    : { responses: [response], certificates }
}

function fromPem(bytes: Buffer): StapleContent | { readonly problem: string } {
  const responses = pemBlocks(bytes, 'OCSP RESPONSE')
  return responses.length === 0
    ? { problem: 'it holds no PEM block "OCSP RESPONSE"' }
    : { responses, certificates: pemBlocks(bytes, 'CERTIFICATE') }
}

function looksLikePem(bytes: Buffer): boolean {
  return bytes.subarray(0, 4096).includes('-----BEGIN ')
}

export function pemBlocks(bytes: Buffer, label: string): Buffer[] {
  const blocks: Buffer[] = []
  const begin = `-----BEGIN ${label}-----`
  const text = bytes.toString('latin1')
  for (let at = text.indexOf(begin); at >= 0 && blocks.length < 50; at = text.indexOf(begin, at + 1)) {
    const end = text.indexOf('-----END ', at)
    if (end < 0) break
    blocks.push(Buffer.from(text.slice(at + begin.length, end), 'base64'))
  }
  return blocks
}

/** The first structure, and what follows. */
function leading(bytes: Buffer): { response: Buffer; rest: Buffer } | undefined {
  if (bytes[0] !== 0x30 || bytes.length < 2) return undefined
  let length = bytes[1] ?? 0
  let start = 2
  if (length > 0x80) {
    const digits = length & 0x7f
    if (digits > 4 || bytes.length < 2 + digits) return undefined
    length = bytes.readUIntBE(2, digits)
    start += digits
  }
  if (bytes.length < start + length) return undefined
  return { response: bytes.subarray(0, start + length), rest: bytes.subarray(start + length) }
}
