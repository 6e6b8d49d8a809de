/** `${lookup{user@domain}spf{address}}`. Source: Exim manual, "SPF". */
import { parseIp } from '../../../base/ip.ts'
import type { SingleKeyType } from '../../../language/lookups/types.ts'
import { checkHost } from './check-host.ts'

export const spfLookup: SingleKeyType = {
  name: 'spf',
  doc: 'Checks the SPF record of an address against an IP address; gives a result word.',
  since: '0.1',
  style: 'single',
  fileIsData: true,
  open(address, _options, context) {
    const ip = parseIp(address.trim())
    return {
      async find(sender) {
        // Without an address Exim finds nothing.
        if (ip === undefined) return { is: 'none' }
        const domain = sender.slice(sender.lastIndexOf('@') + 1)
        const { ports, server } = context
        const result = await checkHost(
          { ip, domain, sender, helo: domain, receiver: server.primaryHostname, now: ports.now() },
          (name, type) => ports.dns(name, type),
        )
        return { is: 'found', data: result.result }
      },
    }
  },
}
