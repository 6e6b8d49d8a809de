/**
 * What `explain_store` costs: two servers, one that keeps explanations and one that does not, take and relay the same
 * messages in turns; the processor time of each is told by the system, so that others on the machine do not count.
 */
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fetchDebian, wrapper } from '../test/support/debian.ts'
import { freePort, type StartedServer, startServer, temporaryFolder, until } from '../test/support/server.ts'
import type { Figure } from './run.ts'

const rounds = 11
const warmingRounds = 3
const messages = 1000

const configuration = (sink: number, store: number): string => `
primary_hostname = bench.example
explain_store = ${store}
tls_advertise_hosts =
smtp_accept_max = 1000
domainlist local_domains = local.example
domainlist relay_to_domains = d.example
hostlist relay_from_hosts = 127.0.0.1
acl_smtp_rcpt = check_rcpt
acl_smtp_data = check_data
begin acl
check_rcpt:
  accept hosts = :
  deny domains = +local_domains
       local_parts = ^[.] : ^.*[@%!/|]
       message = Restricted characters in address
  deny domains = !+local_domains
       local_parts = ^[./|] : ^.*[@%!] : ^.*/\\\\.\\\\./
       message = Restricted characters in address
  require verify = sender
  accept hosts = +relay_from_hosts
         control = submission
  accept authenticated = *
  require domains = +local_domains : +relay_to_domains
          message = relay not permitted
  accept
check_data:
  deny condition = \${if >{$message_size}{20M}}
  deny condition = \${if match{$h_subject:}{viagra}}
  accept
begin routers
remote:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = smtp
begin transports
smtp:
  driver = smtp
  port = ${sink}
  allow_localhost
begin retry
* * F,2h,15m
`

export async function run(): Promise<Figure[]> {
  const postfix = fetchDebian(['postfix'])
  if ('missing' in postfix) {
    console.log(`  left out: ${postfix.missing}`)
    return []
  }
  const sinkPort = await freePort()
  const asNobody = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  const sink = spawn(
    wrapper(postfix.root, 'usr/sbin/smtp-sink'),
    [...asNobody, `127.0.0.1:${sinkPort}`, '1000'],
    { stdio: 'ignore' },
  )
  const folders = [temporaryFolder('bench-off'), temporaryFolder('bench-on')]
  const servers: StartedServer[] = []
  try {
    for (const [i, folder] of folders.entries()) {
      servers.push(
        await startServer({ configuration: configuration(sinkPort, i * 10_000), folder: folder.path }),
      )
    }
    // Warm: both have compiled what they run.
    for (let round = 0; round < warmingRounds; round++)
      for (const server of servers) await relay(postfix.root, server)
    const used = servers.map((): number[] => [])
    for (let round = 0; round < rounds; round++) {
      // Each goes first as often as the other.
      const turns = [...servers.entries()]
      if (round % 2 === 1) turns.reverse()
      for (const [i, server] of turns) used[i]?.push(await relay(postfix.root, server))
    }
    const [off = [], on = []] = used
    const costs = on.map((each, i) => (each / (off[i] ?? each) - 1) * 100)
    return [
      { name: 'CPU with explain_store = 0, median', value: median(off), unit: 'ms/message' },
      { name: 'CPU with explain_store = 10000, median', value: median(on), unit: 'ms/message' },
      { name: 'what it costs, median of the rounds', value: median(costs), unit: '%' },
      {
        name: 'what it costs, by the least of each',
        value: (Math.min(...on) / Math.min(...off) - 1) * 100,
        unit: '%',
      },
    ]
  } finally {
    for (const server of servers) await server.stop()
    sink.kill('SIGKILL')
    for (const folder of folders) folder.remove()
  }
}

/** Milliseconds of processor time a message. */
async function relay(root: string, server: StartedServer): Promise<number> {
  const before = cpuMs(server)
  const completed = count(server)
  const source = spawn(
    wrapper(root, 'usr/sbin/smtp-source'),
    [
      '-s',
      '10',
      '-m',
      String(messages),
      '-l',
      '4096',
      '-f',
      'a@b.example',
      '-t',
      'c@d.example',
      `127.0.0.1:${server.port}`,
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
  await new Promise((resolve) => source.once('close', resolve))
  await until(() => (count(server) - completed >= messages ? true : undefined), 120_000)
  return (cpuMs(server) - before) / messages
}

function count(server: StartedServer): number {
  return server.log().split(' Completed').length - 1
}

/** Of all threads of the process group, as the scheduler counts them: a tick of a process would be a hundredth of a round. */
function cpuMs(server: StartedServer): number {
  let nanoseconds = 0
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const fields = read(`/proc/${pid}/stat`)
      .replace(/^.*\) /, '')
      .split(' ')
    if (Number(fields[2]) !== server.process.pid) continue
    for (const thread of readdirSync(`/proc/${pid}/task`))
      nanoseconds += Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(' ')[0])
  }
  return nanoseconds / 1e6
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}
