import { textOf } from '../../../base/text.ts'
import { parseIp } from '../../../base/ip.ts'
import type { Context } from '../../../ports.ts'
import { type ActingModifier, errorOf, type Modified } from '../row.ts'
import { packetKey, sendDatagram } from '../udp.ts'

export const udpsend: ActingModifier = {
  kind: 'modifier',
  name: 'udpsend',
  doc: 'Sends one UDP packet: destination, port and contents, separated like a list.',
  since: '0.1',
  tier: 'B',
  argument: 'text',
  phases: 'all',
  run({ context }, argument) {
    const [host = '', port = '', ...rest] = context.ports.splitList(argument).map(textOf)
    if (host === '') return errorOf('missing destination host in "udpsend" modifier')
    if (port === '') return errorOf('missing destination port in "udpsend" modifier')
    const number = /^\d{1,5}$/.test(port) ? Number(port) : 0
    if (number < 1 || number > 65535) return errorOf('bad destination port in "udpsend" modifier')
    return send(context, host, number, rest[0] ?? '')
  },
}

async function send(context: Context, host: string, port: number, contents: string): Promise<Modified> {
  const address = parseIp(host) === undefined ? await addressOf(context, host) : host
  if (address === undefined) {
    return { is: 'defer', logMessage: `no IP address found for host ${host} in "udpsend" modifier` }
  }
  context.debug?.('acl', `udpsend [${address}]:${port} ${contents}`)
  const take = context.connection?.extra.get(packetKey)
  if (typeof take === 'function') return void take(address, port, contents)
  const problem = await sendDatagram(address, port, contents)
  if (problem === undefined) context.debug?.('acl', `udpsend ${contents.length} bytes`)
  else context.debug?.('acl', `udpsend failed: ${problem}`)
  return undefined
}

async function addressOf(context: Context, host: string): Promise<string | undefined> {
  const found = await context.ports.hostAddresses(host)
  return found.is === 'found' ? found.addresses[0] : undefined
}
