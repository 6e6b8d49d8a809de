/** The PROXY header as a line of text. Source: HAProxy, "The PROXY protocol", section 2.1. */
import { formatIp, parseIp, unmapped } from '../../base/ip.ts'
import type { Endpoint, ProxyHeader, ProxyParse } from './header.ts'

export const version1Start: Buffer = Buffer.from('PROXY ', 'latin1')

/** The longest line, CRLF included. */
const mostBytes = 107

const LF = 10

export function parseVersion1(bytes: Buffer): ProxyParse {
  const end = bytes.subarray(0, mostBytes).indexOf(LF)
  if (end < 0) {
    if (bytes.length < mostBytes) return { is: 'more', least: bytes.length + 1 }
    return { is: 'invalid', length: bytes.length, why: `no end of line in ${mostBytes} bytes` }
  }
  const length = end + 1
  const line = bytes.toString('latin1', 0, length)
  if (!line.endsWith('\r\n')) return { is: 'invalid', length, why: 'the line does not end with CRLF' }
  const read = headerOf(line.slice(0, -2))
  return 'why' in read ? { is: 'invalid', length, why: read.why } : { is: 'header', length, header: read }
}

function headerOf(line: string): ProxyHeader | { readonly why: string } {
  // What follows UNKNOWN is to be ignored up to the end of the line.
  if (/^PROXY UNKNOWN(?: |$)/.test(line)) return { is: 'unaddressed', tlvs: new Map() }
  const match = /^PROXY TCP([46]) (\S+) (\S+) (\S+) (\S+)$/.exec(line)
  if (match === null) return { why: 'not a protocol, two addresses and two ports with single spaces' }
  const [, version, source = '', destination = '', sourcePort = '', destinationPort = ''] = match
  const family = version === '4' ? 4 : 6
  const client = endpoint(family, source, sourcePort)
  const target = endpoint(family, destination, destinationPort)
  if (client === undefined || target === undefined) return { why: 'an address or a port is not valid' }
  return { is: 'proxied', client, target, tlvs: new Map() }
}

function endpoint(family: 4 | 6, address: string, port: string): Endpoint | undefined {
  // A zone (`%eth0`) means nothing on another host.
  if (!/^[0-9a-fA-F:.]+$/.test(address)) return undefined
  const parsed = parseIp(address)
  if (parsed?.version !== family) return undefined
  if (!/^(?:0|[1-9]\d{0,4})$/.test(port) || Number(port) > 65_535) return undefined
  return { address: formatIp(unmapped(parsed)), port: Number(port) }
}
