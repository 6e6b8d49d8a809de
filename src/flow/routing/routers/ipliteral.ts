/** The ipliteral router: the domain is an address in brackets. Source: Exim manual, chapter 18; RFC 5321 section 4.1.3. */
import { parseIp } from '../../../base/ip.ts'
import { findHost } from '../find-hosts.ts'
import { selfVerdict } from '../self.ts'
import type { RouterDriver } from '../types.ts'

export const ipliteral: RouterDriver = {
  name: 'ipliteral',
  doc: 'Routes addresses whose domain is an IP address in brackets to that address.',
  since: '0.1',
  manual: 'The ipliteral router',
  options: {},
  needsTransport: true,
  async route(work) {
    const { domain } = work.facts
    const literal = /^\[(?:ipv[46]:)?([0-9a-f:.]+)\]$/i.exec(domain)?.[1]
    if (literal === undefined || parseIp(literal) === undefined) return { is: 'decline' }
    const question = { name: literal, port: undefined, mx: undefined, ipv4Only: false, ipv4Prefer: false }
    const found = await findHost({ ...question, method: 'byname' }, work)
    if (found.is === 'defer') return found
    if (found.is !== 'found') return { is: 'decline' }
    const hosts = found.hosts.map((host) => ({ ...host, name: domain }))
    if (found.localAt === undefined) return { is: 'assign', hosts }
    return selfVerdict({ name: domain, mx: undefined }, work) ?? { is: 'assign', hosts }
  },
}
