/**
 * PROXY headers, version 1 (a line) and version 2 (bytes): a function over what has come so far.
 * Source: HAProxy, "The PROXY protocol" (versions 1 and 2), section 2.
 */
import type { ByteString } from '../../base/text.ts'
import { parseVersion1, version1Start } from './version1.ts'
import { parseVersion2, version2Start } from './version2.ts'

/** One end of the proxied connection; IPv4 addresses are never in IPv6's clothes. */
export interface Endpoint {
  readonly address: string
  readonly port: number
}

export type ProxyHeader =
  /** A client's connection that the proxy took. */
  | {
      readonly is: 'proxied'
      readonly client: Endpoint
      readonly target: Endpoint
      readonly tlvs: ReadonlyMap<number, ByteString>
    }
  /** UNKNOWN, or a family without addresses: the connection's own addresses stay. */
  | { readonly is: 'unaddressed'; readonly tlvs: ReadonlyMap<number, ByteString> }
  /** LOCAL: the proxy speaks for itself, to see whether we are well. */
  | { readonly is: 'healthCheck'; readonly tlvs: ReadonlyMap<number, ByteString> }

export type ProxyParse =
  /** So far it may become a header; with fewer than `least` bytes there is no point in asking again. */
  | { readonly is: 'more'; readonly least: number }
  /** `length` bytes are the header, the rest is the client's. */
  | { readonly is: 'header'; readonly length: number; readonly header: ProxyHeader }
  /** It began like a header and is none; `length` bytes belong to it. */
  | { readonly is: 'invalid'; readonly length: number; readonly why: string }
  /** Not even the beginning of a header. */
  | { readonly is: 'foreign' }

/** Looks at the first bytes of a connection. */
export function parseProxyHeader(bytes: Buffer): ProxyParse {
  if (startsLike(bytes, version1Start)) return parseVersion1(bytes)
  if (startsLike(bytes, version2Start)) return parseVersion2(bytes)
  return { is: 'foreign' }
}

/** As far as both go they are the same. */
function startsLike(bytes: Buffer, start: Buffer): boolean {
  const both = Math.min(bytes.length, start.length)
  return bytes.compare(start, 0, both, 0, both) === 0
}
