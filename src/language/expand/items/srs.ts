/** Sender rewriting. Source: Exim manual, "SRS (Sender Rewriting Scheme)". */
import { createHmac } from 'node:crypto'
import { asciiLower, retaint, textOf, toBytes } from '../../../base/text.ts'
import { quotedLocalPart, splitAddress } from '../../../mail/address.ts'
import { plainItem } from './kinds.ts'

const base32 = 'abcdefghijklmnopqrstuvwxyz234567'

/** Four digits of an HMAC over the address in lower case, as some hosts send bounces: observed of Exim 4.96. */
export function srsHash(secret: string, address: string): string {
  return createHmac('md5', toBytes(secret))
    .update(toBytes(asciiLower(address)))
    .digest('hex')
    .slice(0, 4)
}

/** The day as two digits to base 32; it comes again after 1024 days. */
export function srsStamp(nowMs: number): string {
  const day = Math.floor(nowMs / 86_400_000) & 0x3ff
  return base32.charAt(day >> 5) + base32.charAt(day & 31)
}

export const srsEncode = plainItem({
  name: 'srs_encode',
  doc: 'Writes an address of another domain as one of ours, so that bounces come back.',
  since: '0.1',
  manual: 'Expansion items',
  least: 3,
  most: 3,
  apply([secret = '', returnPath = '', ours = ''], environment) {
    const path = textOf(returnPath)
    if (path === '') return ''
    const { localPart, domain } = splitAddress(path)
    const stamp = srsStamp(environment.context.ports.now())
    const plain = localPart.replace(/^"(.*)"$/s, '$1')
    const hash = srsHash(textOf(secret), path)
    const local = `SRS0=${hash}=${stamp}=${domain}=${plain}`
    return retaint(`${quotedLocalPart(local)}@${textOf(ours)}`, returnPath)
  },
})
