/** Operators on IP addresses. */
import { formatIp, groupNumbers, maskIp, parseIp, reverseIp, toIpv6 } from '../../../base/ip.ts'
import { failure } from '../environment.ts'
import type { OperatorRow } from '../rows.ts'
import { textOperator } from './kinds.ts'

const manual = 'Expansion operators'

export const ipOperators: readonly OperatorRow[] = [
  textOperator({
    name: 'ipv6denorm',
    doc: 'An IP address as eight full groups.',
    since: '0.1',
    manual,
    convert(text) {
      const address = parseIp(text)
      if (address === undefined) return failure(`"${text}" is not an IP address`)
      return groupNumbers(toIpv6(address))
        .map((group) => group.toString(16).padStart(4, '0'))
        .join(':')
    },
  }),
  textOperator({
    name: 'ipv6norm',
    doc: 'An IP address in the short form of IPv6.',
    since: '0.1',
    manual,
    convert(text) {
      const address = parseIp(text)
      return address === undefined ? failure(`"${text}" is not an IP address`) : formatIp(toIpv6(address))
    },
  }),
  textOperator({
    name: 'mask',
    doc: 'Clears the bits of an address beyond the mask: ${mask:192.0.2.9/24}.',
    since: '0.1',
    manual,
    suffix: 'word',
    convert(text, _, suffix) {
      const slash = text.indexOf('/')
      const written = slash < 0 ? text : text.slice(0, slash)
      const address = written.includes('%') && slash >= 0 ? undefined : parseIp(written)
      if (address === undefined) return failure(`"${text}" is not an IP address`)
      if (slash < 0) return failure(`missing mask value in "${text}"`)
      const digits = text.slice(slash + 1)
      if (!/^\s*\d+$/.test(digits)) return failure(`"${text}" is not an IP address`)
      const bits = Number(digits)
      if (bits > address.bytes.length * 8) return failure(`mask value too big in "${text}"`)
      const masked = maskIp(address, bits)
      if (masked.version === 4 || suffix === '_n') return `${formatIp(masked)}/${bits}`
      // Dots, because a colon ends a key in lsearch files.
      const groups = groupNumbers(masked).map((group) => group.toString(16).padStart(4, '0'))
      return `${groups.join('.')}/${bits}`
    },
  }),
  textOperator({
    name: 'reverse_ip',
    doc: 'An IP address backwards, as names under in-addr.arpa and in block lists have it.',
    since: '0.1',
    manual,
    convert(text) {
      // Exim takes a mask too, and passes it over.
      const address = parseIp(text.replace(/\/\s*\d*$/, ''))
      return address === undefined
        ? failure(`reverse_ip() not given an IP address [${text}]`)
        : reverseIp(address)
    },
  }),
]
