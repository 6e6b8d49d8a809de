/** Hosts of a list that a program gave: each looked up, this host left out. Source: Exim manual, "The queryprogram router". */
import type { ByteString } from '../../base/text.ts'
import { textOf } from '../../base/text.ts'
import type { TransportInstance } from '../../language/config/configuration.ts'
import type { RouteHost } from '../routed.ts'
import { findHost } from './find-hosts.ts'
import { parseHostItem } from './host-items.ts'
import { logMissingHost, unknownHost } from './missing-host.ts'
import { hostsOfMx } from './mx.ts'
import { selfVerdict } from './self.ts'
import type { RouterVerdict, RouterWork } from './types.ts'

export async function hostsOfList(
  list: ByteString,
  method: 'byname' | 'bydns' | 'both',
  assigned: { readonly transport?: TransportInstance },
  work: RouterWork,
): Promise<RouterVerdict> {
  const hosts: RouteHost[] = []
  // `self = send` has let one in: the others that are this host stay too. Observed of Exim 4.96.
  let selfSends = false
  const items = work.context.ports.splitList(list).map(textOf)
  for (const item of items.filter((one) => one !== '' && one !== '+').map(parseHostItem)) {
    const question = {
      name: item.name,
      port: item.port,
      mx: undefined,
      method,
      ipv4Only: false,
      ipv4Prefer: false,
    } as const
    const found = item.viaMx ? await hostsOfMx(question, work) : await findHost(question, work)
    if (found.is === 'defer') return found
    if (found.is === 'again') {
      return work.router.settings.pass_on_timeout
        ? { is: 'pass' }
        : { is: 'defer', message: `host lookup for ${item.name} did not complete (DNS timeout?)` }
    }
    if (found.is !== 'found') {
      if (!item.viaMx && method !== 'bydns') logMissingHost(item.name, work)
      const message = `lookup of host "${item.name}" failed in ${work.router.name} router`
      return { is: 'defer', message, errno: unknownHost }
    }
    if (found.localAt === undefined || selfSends) {
      hosts.push(...found.hosts)
      continue
    }
    // This host and what follows it are left out, unless it comes first of all.
    hosts.push(...found.hosts.slice(0, found.localAt))
    if (hosts.length > 0) break
    const self = selfVerdict(found.hosts[0] ?? { name: item.name, mx: undefined }, work)
    if (self !== undefined) return self
    selfSends = true
    hosts.push(...found.hosts)
  }
  return { is: 'assign', hosts, ...assigned }
}
