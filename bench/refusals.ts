/**
 * What long lists cost a session: servers in one process whose recipient ACL asks for the client in 10,000 networks and for the
 * sender's domain among 100,000 (in the configuration itself, in files, indexed), and one that asks for neither, refuse one
 * recipient a session in turns.
 */
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { temporaryFolder } from '../test/support/server.ts'
import type { Figure } from './run.ts'
import { answer, cpuMs, median, startTogether } from './together.ts'

const rounds = 40
const warmingRounds = 8
const refusals = 300
const sessions = 10

const networks = Array.from({ length: 10_000 }, (_, i) => `10.${i >> 8}.${i & 255}.0/24`)
const domains = Array.from({ length: 100_000 }, (_, i) => `d${i}.listed.example`)

function configuration(hostList: string, domainList: string): string {
  const asked =
    hostList === ''
      ? ''
      : `  deny hosts = +blocked_hosts
  deny sender_domains = +blocked_domains
`
  return `primary_hostname = bench.example
tls_advertise_hosts =
smtp_accept_max = 1000
${hostList === '' ? '' : `hostlist blocked_hosts = ${hostList}\ndomainlist blocked_domains = ${domainList}\n`}
acl_smtp_rcpt = check_rcpt
begin acl
check_rcpt:
${asked}  deny message = no such user
`
}

export async function run(): Promise<Figure[]> {
  const folder = temporaryFolder('bench-refusals')
  const file = (name: string, lines: readonly string[]): string => {
    const path = join(folder.path, name)
    writeFileSync(path, `${lines.join('\n')}\n`, { mode: 0o644 })
    return path
  }
  const variants = {
    'without lists': configuration('', ''),
    inline: configuration(networks.join(' : '), domains.join(' : ')),
    'in files': configuration(file('networks', networks), file('domains', domains)),
    indexed: configuration(
      `net-iplsearch;${file(
        'keyed-networks',
        networks.map((each) => `${each}: x`),
      )}`,
      `lsearch;${file(
        'keyed-domains',
        domains.map((each) => `${each}: x`),
      )}`,
    ),
  }
  const names = Object.keys(variants)
  const servers = await startTogether(folder.path, Object.values(variants))
  try {
    const used: number[][] = names.map(() => [])
    const took: number[][] = names.map(() => [])
    for (let round = 0; round < warmingRounds + rounds; round++) {
      // Each goes first as often as the others.
      for (let i = 0; i < names.length; i++) {
        const which = (i + round) % names.length
        const before = cpuMs(servers.process)
        const began = performance.now()
        await refuse(servers.ports[which] ?? 0)
        if (round < warmingRounds) continue
        took[which]?.push((performance.now() - began) / refusals)
        used[which]?.push((cpuMs(servers.process) - before) / refusals)
      }
    }
    const [plainUsed = [], plainTook = []] = [used[0], took[0]]
    return names.flatMap((name, i) => {
      const rate = 1000 / median(took[i] ?? [])
      const cost = (of: readonly number[], plain: readonly number[]): number =>
        (median(of.map((each, k) => each / (plain[k] ?? each))) - 1) * 100
      const figures = [
        { name: `${name}: refused`, value: rate, unit: 'sessions/s' },
        { name: `${name}: CPU`, value: median(used[i] ?? []), unit: 'ms/session' },
      ]
      if (i === 0) return figures
      return [
        ...figures,
        { name: `${name}: more time than without`, value: cost(took[i] ?? [], plainTook), unit: '%' },
        { name: `${name}: more CPU than without`, value: cost(used[i] ?? [], plainUsed), unit: '%' },
      ]
    })
  } finally {
    servers.process.kill('SIGKILL')
    folder.remove()
  }
}

async function refuse(port: number): Promise<void> {
  let left = refusals
  const session = async (): Promise<void> => {
    while (left-- > 0) await refuseOne(port)
  }
  await Promise.all(Array.from({ length: sessions }, session))
}

async function refuseOne(port: number): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await answer(socket, undefined, 220)
  await answer(socket, 'EHLO client.example', 250)
  await answer(socket, 'MAIL FROM:<a@b.example>', 250)
  await answer(socket, 'RCPT TO:<c@d.example>', 550)
  await answer(socket, 'QUIT', 221)
  socket.destroy()
}
