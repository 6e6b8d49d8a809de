/**
 * Routes names of a zone by Exim and by us, and prints what each said as JSON. Runs by itself in a network of its
 * own, where port 53 is free and /etc/resolv.conf names 127.0.0.1: `unshare -mn`.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createResolver } from '../../src/wire/dns/index.ts'
import { startDnsServer } from './dns-server.ts'
import { createWorld } from './routing-world.ts'
import { dnsAddresses, optionOf, zone } from './routing-zone.ts'

export interface Compared {
  readonly name: string
  readonly ours: string
  readonly theirs: string
}

const [program = '/usr/sbin/exim4', configuration = ''] = process.argv.slice(2)

const server = await startDnsServer(zone, { port: 53 })
const resolver = createResolver({
  servers: [server],
  settings: { dns_retry: 1, dns_retrans: 1 },
  random: () => 0,
})
const text = readFileSync(configuration, 'latin1')
const world = createWorld(text, {
  resolver,
  sender: 'root@example.com',
  localInterfaces: ['127.0.0.1', '::1'],
})

const compared: Compared[] = []
for (const address of dnsAddresses) {
  for (const mode of ['bt', 'bv'] as const) {
    const said = await world.routing.test(address, mode, world.contextFor(mode))
    const ours = [...said.lines, `exit ${said.exitCode}`].join('\n')
    compared.push({
      name: `-${mode} ${address}${optionOf(address)}`,
      ours,
      theirs: await askExim([`-${mode}`, address]),
    })
  }
}
await server.close()
process.stdout.write(JSON.stringify(compared))

function askExim(args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn(program, ['-C', configuration, ...args])
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString('latin1')))
    child.on('close', (code) => resolve(`${output.replaceAll(/LOG: MAIN\n {2}.*\n/g, '')}exit ${code}`))
  })
}
