/**
 * What `explain_store` costs: two servers, one that keeps explanations and one that does not, take and relay messages in turns,
 * so that they share their moment. The processor time is told by the system's scheduler, so that others on the machine do not
 * count. V8 compiles no two processes alike, and what a message costs differs by a tenth between them: so many pairs are started,
 * and how far the mean of them may be off is told with it.
 *
 * Twice: a message in the clear that is only relayed, which costs a server less than any other; and one by TLS through the
 * configuration that Debian makes for a smarthost.
 */
import { spawn } from 'node:child_process'
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { selfSigned } from '../test/support/certificates.ts'
import { fetchDebian, wrapper } from '../test/support/debian.ts'
import { debianConfiguration, debianRoot } from '../test/support/debian-configuration.ts'
import { freePort, temporaryFolder, until } from '../test/support/server.ts'
import { read } from './process-tree.ts'
import type { Figure } from './run.ts'
import { answer, cpuMs, median, type Servers, startTogether } from './together.ts'

const pairs = 8
const turns = 6
const warmingTurns = 10
const messages = 300
const sessions = 10

interface Scenario {
  readonly name: string
  readonly tls: boolean
  /** @param folder holds server.crt and server.key */
  readonly configuration: (sink: number, folder: string) => string
}

const relaying = (sink: number): string => `
primary_hostname = bench.example
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

/** Debian's, with the sink as its smarthost. */
function debian(sink: number, folder: string): string {
  const found = debianRoot()
  if ('missing' in found) throw new Error(found.missing)
  const macros = [
    'MAIN_TLS_ENABLE = yes',
    `MAIN_TLS_CERTIFICATE = ${folder}/server.crt`,
    `MAIN_TLS_PRIVATEKEY = ${folder}/server.key`,
    `DCsmarthost = 127.0.0.1::${sink}`,
    'REMOTE_SMTP_SMARTHOST_HOSTS_AVOID_TLS = *',
    'MAIN_HARDCODE_PRIMARY_HOSTNAME = bench.example',
    'MAIN_LOCAL_INTERFACES = <; 127.0.0.1',
    'MAIN_HOST_LOOKUP = !127.0.0.1',
  ]
  const text = debianConfiguration(found.root, 'smarthost', false)
    // The bench has its own folders.
    .replace(/^(?:spool_directory|exim_path) = .*\n/gm, '')
    .replace(/^smarthost:\n(?:  .*\n)*?  driver = .*\n/m, '$&  self = send\n')
    .replace(/^remote_smtp_smarthost:\n(?:  .*\n)*?  driver = .*\n/m, '$&  allow_localhost\n')
  return `${macros.join('\n')}\n${text}`
}

const scenarios: readonly Scenario[] = [
  { name: 'in the clear, relayed', tls: false, configuration: relaying },
  { name: "TLS, Debian's configuration", tls: true, configuration: debian },
]

export async function run(): Promise<Figure[]> {
  const postfix = fetchDebian(['postfix'])
  if ('missing' in postfix) {
    console.log(`  left out: ${postfix.missing}`)
    return []
  }
  const sinkPort = await freePort()
  const sink = spawn(
    wrapper(postfix.root, 'usr/sbin/smtp-sink'),
    [...(process.getuid?.() === 0 ? ['-u', 'nobody'] : []), `127.0.0.1:${sinkPort}`, '1000'],
    { stdio: 'ignore' },
  )
  try {
    const figures: Figure[] = []
    for (const scenario of scenarios) figures.push(...(await measure(scenario, sinkPort)))
    return figures
  } finally {
    sink.kill('SIGKILL')
  }
}

async function measure(scenario: Scenario, sink: number): Promise<Figure[]> {
  const off: number[] = []
  const costs: number[] = []
  for (let pair = 0; pair < pairs; pair++) {
    const [without = 0, with_ = 0] = await measurePair(scenario, sink)
    off.push(without)
    costs.push((with_ / without - 1) * 100)
  }
  const { name } = scenario
  const mean = costs.reduce((sum, each) => sum + each, 0) / pairs
  const variance = costs.reduce((sum, each) => sum + (each - mean) ** 2, 0) / (pairs - 1)
  return [
    { name: `${name}: CPU with explain_store = 0, median`, value: median(off), unit: 'ms/message' },
    { name: `${name}: what explain_store = 10000 costs, mean of ${pairs} pairs`, value: mean, unit: '%' },
    { name: `${name}: standard error of that mean`, value: Math.sqrt(variance / pairs), unit: '%' },
  ]
}

/** Milliseconds of processor time for a message, without and with explanations. */
async function measurePair({ tls, configuration }: Scenario, sink: number): Promise<number[]> {
  const folders = [temporaryFolder('bench-explain'), temporaryFolder('bench-explain')]
  const started: Servers[] = []
  try {
    for (const [i, { path }] of folders.entries()) {
      selfSigned(path, 'server', '/CN=bench.example')
      const text = `explain_store = ${i === 0 ? 0 : 10_000}\n${configuration(sink, path)}`
      started.push(await startTogether(path, [text]))
    }
    const used: number[][] = started.map(() => [])
    for (let turn = 0; turn < warmingTurns + turns; turn++) {
      // Each goes first as often as the other.
      for (const which of turn % 2 === 0 ? [0, 1] : [1, 0]) {
        const servers = started[which]
        if (servers === undefined) continue
        const before = cpuMs(servers.process)
        await relay(servers, tls)
        if (turn >= warmingTurns) used[which]?.push((cpuMs(servers.process) - before) / messages)
      }
    }
    return used.map(median)
  } finally {
    for (const { process: server } of started) server.kill('SIGKILL')
    for (const folder of folders) folder.remove()
  }
}

/** Sends the messages and waits until all are delivered. */
async function relay({ ports: [port = 0], logs: [log = ''] }: Servers, tls: boolean): Promise<void> {
  const completed = (): number => read(log).split(' Completed').length - 1
  const wanted = completed() + messages
  let left = messages
  const session = async (): Promise<void> => {
    while (left-- > 0) await sendOne(port, tls)
  }
  await Promise.all(Array.from({ length: sessions }, session))
  if ((await until(() => (completed() >= wanted ? true : undefined), 60_000)) === undefined)
    throw new Error(`not delivered:\n${read(log).slice(-2000)}`)
}

const message = `From: a@b.example\r\nTo: c@d.example\r\nSubject: bench\r\n\r\n${`${'x'.repeat(62)}\r\n`.repeat(64)}`

async function sendOne(port: number, tls: boolean): Promise<void> {
  const plain = connect({ port, host: '127.0.0.1', noDelay: true })
  await answer(plain, undefined, 220)
  await answer(plain, 'EHLO client.example', 250)
  let socket = plain
  if (tls) {
    await answer(plain, 'STARTTLS', 220)
    socket = connectTls({ socket: plain, rejectUnauthorized: false })
    await answer(socket, 'EHLO client.example', 250)
  }
  await answer(socket, 'MAIL FROM:<a@b.example>', 250)
  await answer(socket, 'RCPT TO:<c@d.example>', 250)
  await answer(socket, 'DATA', 354)
  await answer(socket, `${message}.`, 250)
  await answer(socket, 'QUIT', 221)
  socket.destroy()
}
