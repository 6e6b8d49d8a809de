/** Host lists of manualroute and fallback_hosts: names and addresses with ports. */
import { parseIp } from '../../base/ip.ts'
import { type Text, textOf } from '../../base/text.ts'
import type { Context } from '../../ports.ts'
import type { RouteHost } from '../routed.ts'

/** One item of a host list. */
export interface HostItem {
  readonly name: string
  readonly port: number | undefined
  /** `name/MX`: the hosts of its MX records. */
  readonly viaMx: boolean
  readonly isAddress: boolean
}

/**
 * `name`, `name:port`, `address`, `[address]:port`, `name/mx:port`.
 * Source: Exim manual, "Format of one host item".
 */
export function parseHostItem(text: string): HostItem {
  const bracketed = /^\[([^\]]*)\](?::(\d+))?$/.exec(text)
  if (bracketed !== null) {
    const isAddress = parseIp(bracketed[1] ?? '') !== undefined
    return {
      name: isAddress ? (bracketed[1] ?? '') : text,
      port: portOf(bracketed[2]),
      viaMx: false,
      isAddress,
    }
  }
  if (parseIp(text) !== undefined) return { name: text, port: undefined, viaMx: false, isAddress: true }
  const withPort = /^(.*?):(\d+)$/.exec(text)
  const bare = withPort?.[1] ?? text
  const viaMx = /\/mx$/i.test(bare)
  const name = viaMx ? bare.slice(0, -3) : bare
  return { name, port: portOf(withPort?.[2]), viaMx, isAddress: parseIp(name) !== undefined }
}

function portOf(digits: string | undefined): number | undefined {
  return digits === undefined ? undefined : Number(digits)
}

/** Hosts as they stand; the transport finds their addresses when it comes to them. */
export function parseFallbackHosts(list: Text, context: Context): RouteHost[] {
  return context.ports
    .splitList(list)
    .map(textOf)
    .filter((item) => item !== '' && item !== '+')
    .map((text) => {
      const item = parseHostItem(text)
      return {
        name: item.name,
        address: item.isAddress ? item.name : undefined,
        port: item.port,
        mx: undefined,
        dnssec: false,
      }
    })
}
