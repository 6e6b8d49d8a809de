/** A warning about `hosts_proxy`. Source: Exim manual, "Inbound proxies"; the text of 2014 advises against `*`. */
import type { Report } from '../base/diagnostic.ts'
import { inNetwork, type IpAddress, parseIp, parseNetwork } from '../base/ip.ts'
import { textOf } from '../base/text.ts'
import type { Configuration } from '../language/config/configuration.ts'
import { createListMatcher } from '../language/lists/index.ts'

/** Lists name lists; a chain this long is a loop. */
const deepest = 20

/** Programs on this host that speak SMTP to it send no PROXY header. */
export function checkProxies(configuration: Configuration, report: Report): void {
  const list = configuration.main.hosts_proxy
  if (list === undefined) return
  for (const address of ['127.0.0.1', '::1']) {
    const parsed = parseIp(address)
    if (parsed === undefined || contains(list.text, parsed, configuration, 0) !== true) continue
    report({
      code: 'proxy-list-local',
      severity: 'warning',
      message: `hosts_proxy matches ${address}: programs on this host that speak SMTP to it must send a PROXY header`,
      at: list.span(),
      help: `leave ${address} out unless the proxy runs on this host, as in "!${address} : ..."`,
    })
    return
  }
}

/** Undefined: it shows only when the list is expanded or a name is looked up. */
function contains(
  text: string,
  address: IpAddress,
  configuration: Configuration,
  depth: number,
): boolean | undefined {
  if (text.includes('$') || depth > deepest) return undefined
  for (const each of createListMatcher().splitList(text)) {
    const item = textOf(each).trim()
    const negated = item.startsWith('!')
    const found = itemContains(negated ? item.slice(1).trim() : item, address, configuration, depth)
    if (found === undefined) return undefined
    if (found) return !negated
  }
  return false
}

function itemContains(
  item: string,
  address: IpAddress,
  configuration: Configuration,
  depth: number,
): boolean | undefined {
  if (item === '*') return true
  if (item.startsWith('+')) {
    const named = configuration.namedLists.host.get(item.slice(1))
    return named && contains(named.value.text, address, configuration, depth + 1)
  }
  const network = parseNetwork(item.replace(/^\[(.*)\]$/, '$1'))
  return network && inNetwork(address, network)
}
