/** Reads one item of `dnslists`. Source: Exim manual, "Using DNS lists" and the sections after it. */
import { parseIp } from '../../../base/ip.ts'
import { slice, type Text, textOf } from '../../../base/text.ts'

export interface DnsListItem {
  /** The domain that names the list; it is the one that `$dnslist_domain` shows and that has the text. */
  readonly domain: string
  /** The domain that is asked first: the second of two, else the same. */
  readonly asked: string
  readonly match: DnsListMatch | undefined
  /** A list of keys; undefined: the client's address. */
  readonly keys: Text | undefined
}

/** Which addresses in the answer count. */
export interface DnsListMatch {
  readonly values: readonly number[]
  /** `&`: the values are bit masks. */
  readonly mask: boolean
  /** `==`, `=&`: every address of the answer must fit. */
  readonly every: boolean
  /** `!`: the result is turned round. */
  readonly negated: boolean
}

export function parseDnsListItem(item: Text): DnsListItem {
  const text = textOf(item)
  const slash = text.indexOf('/')
  const head = slash < 0 ? text : text.slice(0, slash)
  const keys = slash < 0 ? undefined : slice(item, slash + 1)
  const sign = /(!?)(==|=&|=|&)/.exec(head)
  const domains = sign === null ? head : head.slice(0, sign.index)
  const comma = domains.indexOf(',')
  const domain = (comma < 0 ? domains : domains.slice(0, comma)).trim()
  const asked = comma < 0 ? domain : domains.slice(comma + 1).trim()
  return { domain, asked, keys, match: sign === null ? undefined : readMatch(sign, head) }
}

function readMatch(sign: RegExpExecArray, head: string): DnsListMatch {
  const [whole, bang = '', how = ''] = sign
  const values = head
    .slice(sign.index + whole.length)
    .split(',')
    .flatMap((word) => {
      const value = addressNumber(word.trim())
      return value === undefined ? [] : [value]
    })
  return { values, mask: how.includes('&'), every: how.length === 2, negated: bang === '!' }
}

/** An IPv4 address as a number; undefined for anything else. */
export function addressNumber(text: string): number | undefined {
  const ip = parseIp(text)
  if (ip?.version !== 4) return undefined
  const [a = 0, b = 0, c = 0, d = 0] = ip.bytes
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
}

/** Source: Exim manual, "Additional matching conditions for DNS lists" to "Handling multiple DNS records". */
export function matches(match: DnsListMatch | undefined, addresses: readonly number[]): boolean {
  if (match === undefined) return true
  const fits = (address: number): boolean =>
    match.values.some((value) => (match.mask ? (address & value) >>> 0 === value : address === value))
  const result = match.every ? addresses.every(fits) : addresses.some(fits)
  return result !== match.negated
}
