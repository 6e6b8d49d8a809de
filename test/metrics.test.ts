/** `metrics_listen`: what `/metrics` tells of real sessions, deliveries and a queue; the dashboard and the alerts beside it. */
import assert from 'node:assert/strict'
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { createServer } from 'node:net'
import { after, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { metricNames, metrics } from '../src/mail/metrics.ts'
import { Counters, isMetricValues, sum } from '../src/server/metrics/counters.ts'
import { exposition } from '../src/server/metrics/exposition.ts'
import { listenPlace, metricsProblem } from '../src/server/metrics/place.ts'
import { fetchDebian } from './support/debian.ts'
import { rsaKey, signOddly } from './support/dkim-world.ts'
import { startDnsServer } from './support/dns-server.ts'
import {
  freePort,
  localUser,
  postern,
  repository,
  type StartedServer,
  startServer,
  temporaryFolder,
  until,
} from './support/server.ts'
import { connectSmtp, type SmtpClient } from './support/smtp-client.ts'

const running: { stop(): Promise<void>; remove(): void }[] = []
after(async () => {
  for (const each of running) {
    await each.stop()
    each.remove()
  }
})

const configuration = `
primary_hostname = mx.example
acl_smtp_connect = connect
acl_smtp_rcpt = rcpt
begin acl
connect:
  deny
    condition = \${if eq{$sender_host_address}{127.0.0.9}}
  accept
rcpt:
  deny
    local_parts = nobody
    message = no such user
  defer
    local_parts = later
  accept
    condition = \${lookup{$local_part}lsearch{FOLDER/users}{yes}{yes}}
    set acl_m_ip = \${lookup dnsdb{defer_never,a=nothing.invalid}{x}{y}}
begin routers
broken:
  driver = redirect
  domains = fail.test
  allow_fail
  data = :fail: no such place
slow:
  driver = manualroute
  domains = slow.test
  route_list = * 127.0.0.1
  self = send
  transport = out
all:
  driver = accept
  transport = box
begin transports
out:
  driver = smtp
  port = CLOSED
box:
  driver = appendfile
  file = FOLDER/box
  user = OWN
begin retry
* * F,1h,15m
`

interface Started extends StartedServer {
  metrics(path?: string): Promise<string>
}

async function start(
  more = '',
  other: { readonly configuration?: string; readonly dns?: string } = {},
): Promise<Started> {
  const folder = temporaryFolder('metrics')
  chmodSync(folder.path, 0o777)
  writeFileSync(join(folder.path, 'users'), 'a: 1\n')
  const port = await freePort()
  const closed = await freePort()
  const server = await startServer({
    folder: folder.path,
    environment: { POSTERN_DNS: other.dns ?? '127.0.0.1:9' },
    configuration:
      `metrics_listen = 127.0.0.1:${port}\n${more}\n` +
      (other.configuration ?? configuration)
        .replaceAll('FOLDER', folder.path)
        .replace('CLOSED', String(closed))
        .replace('OWN', localUser),
  })
  running.push({ stop: () => server.stop(), remove: () => folder.remove() })
  return {
    ...server,
    async metrics(path = '/metrics') {
      // SMTP is served a moment earlier.
      const answer = await until(
        () => fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined),
        20_000,
      )
      assert.ok(answer !== undefined, server.log())
      const text = await answer.text()
      return answer.status === 200 ? text : `${answer.status} ${text}`
    },
  }
}

/** The value of one line of the exposition; undefined: there is none. */
function value(
  text: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  for (const line of text.split('\n')) {
    const [, found, pairs = '', number] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
    if (found !== `postern_${name}`) continue
    if (Object.entries(labels).every(([key, one]) => `,${pairs},`.includes(`,${key}="${one}",`)))
      return Number(number)
  }
  return undefined
}

async function mail(server: StartedServer, to: readonly string[]): Promise<void> {
  const client = await connectSmtp(server.port)
  await client.say('EHLO client.example')
  await client.deliver('s@from.example', to, 'Subject: x\r\n\r\nhello\r\n')
  await client.say('QUIT')
  client.end()
}

test('sessions, refusals by the line that decided, deliveries, deferrals and the queue are counted', async () => {
  const server = await start()
  const client = await connectSmtp(server.port)
  await client.say('EHLO client.example')
  await client.say('NONSENSE')
  await client.say('MAIL FROM:<s@from.example>')
  assert.equal((await client.say('RCPT TO:<nobody@mx.example>')).code, 550)
  assert.equal((await client.say('RCPT TO:<later@mx.example>')).code, 451)
  const during = await server.metrics()
  assert.equal(value(during, 'sessions'), 1)
  await client.say('QUIT')
  client.end()
  await mail(server, ['a@box.test'])
  await mail(server, ['b@fail.test'])
  await mail(server, ['c@slow.test'])
  await server.logged(/== c@slow.test/)
  await server.logged(/Completed[\s\S]*Completed/)
  const text = await until(async () => {
    const found = await server.metrics()
    return (value(found, 'queue_messages', { state: 'deferred', age: '5m' }) ?? 0) > 0 ? found : undefined
  }, 25_000)
  assert.ok(text !== undefined, await server.metrics())
  const lines = readFileSync(server.configurationFile, 'utf8').split('\n')
  const denies = String(lines.findIndex((line) => line.includes('local_parts = nobody')))
  const defers = String(lines.findIndex((line) => line.includes('local_parts = later')))
  const expected: readonly (readonly [string, Readonly<Record<string, string>>, number])[] = [
    // One more is the one that saw the server start.
    ['connections_total', { result: 'welcome' }, 5],
    ['commands_total', { command: 'EHLO' }, 4],
    ['commands_total', { command: 'unknown' }, 1],
    ['acl_results_total', { acl: 'rcpt', verdict: 'deny' }, 1],
    ['rejections_total', { acl: 'rcpt', line: denies, verdict: 'deny' }, 1],
    ['rejections_total', { acl: 'rcpt', line: defers, verdict: 'defer' }, 1],
    ['messages_received_total', { protocol: 'esmtp' }, 3],
    ['deliveries_total', { transport: 'box', result: 'delivered' }, 2],
    ['deliveries_total', { transport: '', result: 'failed' }, 1],
    ['deliveries_total', { transport: 'out', result: 'deferred' }, 1],
    ['host_deferrals_total', { host: '127.0.0.1', reason: 'refused' }, 1],
    ['lookups_total', { type: 'lsearch', result: 'found' }, 1],
    ['events_total', { event: 'msg:delivery' }, 2],
    ['queue_messages', { state: 'frozen', age: '5m' }, 0],
  ]
  for (const [name, labels, count] of expected)
    assert.equal(value(text, name, labels), count, `${name} ${JSON.stringify(labels)}\n${text}`)
  for (const name of [
    'memory_bytes',
    'event_loop_delay_seconds',
    'cpu_seconds_total',
    'start_time_seconds',
    'dns_queries_total',
  ])
    assert.ok(value(text, name) !== undefined, `${name}\n${text}`)
  assert.ok((value(text, 'messages_received_bytes_total') ?? 0) > 300)
  const found = promtool()
  if (found !== undefined) {
    const checked = spawnSync(found, ['check', 'metrics'], { input: text, encoding: 'utf8' })
    assert.equal(checked.status, 0, checked.stdout + checked.stderr)
  }
})

test('a daemon of several workers sums them up, and keeps what a worker that ended had counted', async () => {
  const server = await start('daemon_workers = 2\n')
  for (let i = 0; i < 12; i++) await mail(server, ['a@box.test'])
  const [text, each] = [await server.metrics(), await server.metrics('/metrics/workers')]
  assert.equal(value(text, 'messages_received_total'), 12)
  const ofWorkers = ['0', '1'].map((worker) => value(each, 'connections_total', { worker }) ?? 0)
  assert.equal((ofWorkers[0] ?? 0) + (ofWorkers[1] ?? 0), 13, each)
  assert.ok(
    value(text, 'memory_bytes', { worker: '0' }) !== undefined &&
      value(text, 'memory_bytes', { worker: '1' }) !== undefined,
  )
  // New workers take over: the sums go on.
  process.kill(server.process.pid ?? 0, 'SIGHUP')
  const after = await until(async () => {
    const found = await server.metrics().catch(() => '')
    const begun = /daemon started[\s\S]*daemon started/.test(server.log())
    return begun && found.match(/memory_bytes\{kind="heap",worker/g)?.length === 2 ? found : undefined
  }, 25_000)
  assert.equal(value(after ?? '', 'messages_received_total'), 12, `${after}\n${server.log()}`)
  await mail(server, ['a@box.test'])
  assert.equal(value(await server.metrics(), 'messages_received_total'), 13)
})

test('only this host may ask, unless metrics_hosts says otherwise; other paths and methods are refused', async () => {
  const server = await start('metrics_hosts = 192.0.2.1\n')
  assert.match(await server.metrics(), /^403/)
  const open = await start()
  assert.match(await open.metrics('/'), /^404/)
  const cases = [
    { listen: '127.0.0.1:9125', hosts: false, says: undefined },
    { listen: '[::1]:9125', hosts: false, says: undefined },
    { listen: '0.0.0.0:9125', hosts: false, says: /metrics_hosts must say who may ask/ },
    { listen: '0.0.0.0:9125', hosts: true, says: undefined },
    { listen: 'localhost:9125', hosts: true, says: /is not an address and a port/ },
    { listen: '127.0.0.1:99999', hosts: true, says: /is not an address and a port/ },
  ]
  for (const { listen, hosts, says } of cases) {
    const problem = metricsProblem(listen, hosts)
    if (says === undefined) assert.equal(problem, undefined, listen)
    else assert.match(problem ?? '', says, listen)
  }
  assert.deepEqual(listenPlace('[::1]:1'), { address: '::1', port: 1 })
})

test('names from outside cannot make rows without end, nor break the text', () => {
  const counters = new Counters()
  for (let i = 0; i < 5000; i++) counters.add('host_deferrals_total', 1, `host${i}.example`, 'refused')
  counters.add('deliveries_total', 2, 'a"b\\c\nd', 'delivered')
  const values = counters.values()
  const rows = values.find(({ name }) => name === 'host_deferrals_total')?.rows ?? []
  assert.equal(rows.length, 301)
  assert.deepEqual(rows.at(-1), [['other', 'other'], 4700])
  assert.ok(isMetricValues(values))
  assert.ok(
    !isMetricValues([{ name: 'nothing', rows: [] }]) && !isMetricValues([{ name: 'sessions', rows: [[1]] }]),
  )
  const text = exposition([{ worker: undefined, values: sum([values, values]) }])
  assert.match(text, /^postern_deliveries_total\{transport="a\\"b\\\\c\?d",result="delivered"\} 4$/m)
})

const judging = `
primary_hostname = mx.example
tls_advertise_hosts = *
dns_retrans = 1s
dns_retry = 1
acl_smtp_rcpt = rcpt
acl_smtp_data = data
begin acl
rcpt:
  accept
    local_parts = look
    condition = \${lookup redis,servers=127.0.0.1::CLOSED/0/ {GET x}}
  deny
    spf = fail : softfail
    local_parts = never
  accept
data:
  warn
    dmarc_status = accept
  accept
begin routers
secure:
  driver = manualroute
  domains = secure.test
  route_list = * 127.0.0.1::SECURE
  self = send
  transport = out
broken:
  driver = manualroute
  domains = broken.test
  route_list = * 127.0.0.1::BROKEN
  self = send
  transport = out
hole:
  driver = redirect
  data = :blackhole:
begin transports
out:
  driver = smtp
  hosts_try_fastopen =
begin retry
* * F,1h,15m
`

/** The client's side of STARTTLS, then EHLO and QUIT. */
async function throughTls(client: SmtpClient): Promise<void> {
  client.socket.removeAllListeners('data')
  const socket = connectTls({ socket: client.socket, rejectUnauthorized: false })
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
  for (const line of ['EHLO client.example', 'QUIT']) {
    socket.write(`${line}\r\n`)
    await new Promise((resolve) => socket.once('data', resolve))
  }
  socket.destroy()
}

test('SPF, DKIM, DMARC, TLS in both directions and lookups that are not made are counted', async () => {
  const key = rsaKey()
  const txt = (text: string) => [{ type: 'TXT', data: text.match(/.{1,255}/g) ?? [] }]
  const dns = await startDnsServer({
    'good.test TXT': txt('v=spf1 ip4:127.0.0.1 -all'),
    'bad.test TXT': txt('v=spf1 -all'),
    '_dmarc.good.test TXT': txt('v=DMARC1; p=reject'),
    '_dmarc.bad.test TXT': txt('v=DMARC1; p=none'),
    'sel._domainkey.good.test TXT': txt(`v=DKIM1; k=rsa; p=${key.data}`),
  })
  // Offers TLS and then talks no TLS.
  const broken = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.write('220 broken.test ESMTP\r\n')
    socket.on('data', (bytes) => {
      const text = bytes.toString('latin1')
      if (/^EHLO/i.test(text)) socket.write('250-broken.test\r\n250 STARTTLS\r\n')
      else if (/^STARTTLS/i.test(text)) socket.write('220 go on\r\n')
      else socket.end('this is no TLS\r\n')
    })
  })
  const brokenPort = await freePort()
  await new Promise<void>((resolve) => broken.listen(brokenPort, '127.0.0.1', resolve))
  running.push({
    async stop() {
      await dns.close()
      broken.close()
    },
    remove: () => undefined,
  })
  const secure = await start('tls_advertise_hosts = *\n')
  const server = await start('', {
    dns: `127.0.0.1:${dns.port}`,
    configuration: judging
      .replace('SECURE', String(secure.port))
      .replace('BROKEN', String(brokenPort))
      .replace('CLOSED', String(await freePort())),
  })
  const client = await connectSmtp(server.port)
  await client.say('EHLO client.example')
  const text = (domain: string): string =>
    `From: a@${domain}\r\nTo: b@here.test\r\nSubject: x\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n\r\nhello\r\n`
  const signed = signOddly(text('good.test'), key, { d: 'good.test', s: 'sel' })
  assert.equal((await client.deliver('a@good.test', ['never@here.test'], signed)).code, 250)
  const spoilt = signed.replace('hello', 'changed')
  assert.equal((await client.deliver('a@good.test', ['b@secure.test'], spoilt)).code, 250)
  assert.equal((await client.deliver('a@bad.test', ['b@broken.test'], text('bad.test'))).code, 250)
  await client.say('MAIL FROM:<a@bad.test>')
  assert.equal((await client.say('RCPT TO:<never@here.test>')).code, 550)
  for (let i = 0; i < 5; i++) assert.equal((await client.say('RCPT TO:<look@here.test>')).code, 451)
  await client.say('STARTTLS')
  await throughTls(client)
  const other = await connectSmtp(server.port)
  await other.say('EHLO client.example')
  await other.say('STARTTLS')
  other.send('this is no TLS either\r\n')
  await other.closed()
  await server.logged(/=> b@secure\.test.* X=TLS/, 30_000)
  await server.logged(/b@broken\.test/, 30_000)
  const version = /X=(TLS[\d.]+):/.exec(server.log())?.[1] ?? ''
  const expected: readonly (readonly [string, Readonly<Record<string, string>>, number])[] = [
    ['spf_results_total', { result: 'pass' }, 2],
    ['spf_results_total', { result: 'fail' }, 2],
    ['dkim_results_total', { result: 'pass' }, 1],
    ['dkim_results_total', { result: 'fail' }, 1],
    ['dmarc_results_total', { result: 'pass' }, 2],
    ['dmarc_results_total', { result: 'fail' }, 1],
    ['tls_failures_total', { direction: 'in' }, 1],
    ['tls_failures_total', { direction: 'out' }, 1],
    ['tls_sessions_total', { direction: 'out', version }, 1],
    ['tls_sessions_total', { direction: 'in' }, 1],
    ['lookups_refused_total', { type: 'redis' }, 2],
    ['lookups_total', { type: 'redis', result: 'deferred' }, 5],
  ]
  const seen = await until(async () => {
    const page = await server.metrics()
    return expected.every(([name, labels, count]) => value(page, name, labels) === count) ? page : undefined
  }, 30_000)
  const page = seen ?? (await server.metrics())
  for (const [name, labels, count] of expected)
    assert.equal(
      value(page, name, labels),
      count,
      `${name} ${JSON.stringify(labels)}\n${page}\n${server.log()}`,
    )
})

test('what sendmail, -q and -M do beside the daemon is counted, once, by one of its workers', async () => {
  for (const more of ['', 'daemon_workers = 2\n']) {
    const server = await start(`${more}queue_only\n`)
    const own = (...words: string[]) =>
      spawnSync(postern, ['-C', server.configurationFile, ...words], {
        encoding: 'utf8',
        input: 'Subject: x\n\nhello\n',
        timeout: 60_000,
      })
    for (const to of ['a@box.test', 'c@slow.test'])
      assert.equal(own('-odq', '-f', 's@from.example', to).status, 0)
    assert.equal(own('-q').status, 0)
    const id = /(\S+) == c@slow\.test/.exec(server.log())?.[1] ?? ''
    assert.notEqual(id, '', server.log())
    assert.equal(own('-M', id).status, 0)
    const expected: readonly (readonly [string, Readonly<Record<string, string>>, number])[] = [
      ['messages_received_total', { protocol: 'local' }, 2],
      ['deliveries_total', { transport: 'box', result: 'delivered' }, 1],
      ['deliveries_total', { transport: 'out', result: 'deferred' }, 2],
      ['host_deferrals_total', { host: '127.0.0.1', reason: 'refused' }, 2],
    ]
    for (let again = 0; again < 2; again++) {
      const page = await server.metrics()
      for (const [name, labels, count] of expected)
        assert.equal(
          value(page, name, labels),
          count,
          `${name} ${JSON.stringify(labels)}\n${page}\n${server.log()}`,
        )
    }
    assert.deepEqual(readdirSync(join(server.folder, 'spool/metrics')), [])
  }
})

/** Metrics that a file of docs/monitoring names. */
function namedIn(text: string): string[] {
  return [...new Set([...text.matchAll(/\bpostern_(\w+)/g)].map((match) => match[1] ?? ''))]
}

test('each metric and label that the dashboard and the alert rules name is there', () => {
  const known = new Set<string>(metricNames)
  for (const file of ['grafana-dashboard.json', 'alert-rules.yml', '../guide/monitoring.md']) {
    const text = readFileSync(join(repository, 'docs', 'monitoring', file), 'utf8')
    const names = namedIn(text)
    assert.ok(names.length > 10, file)
    assert.deepEqual(
      names.filter((name) => !known.has(name)),
      [],
      file,
    )
    for (const [, name = '', inner = ''] of text.matchAll(/\bpostern_(\w+)\{([^}]*)\}/g))
      for (const [, label = ''] of inner.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)) {
        const row = metricNames.find((each) => each === name)
        const labels = row === undefined ? [] : [...metrics[row].labels, 'worker', 'instance', 'job']
        assert.ok(labels.includes(label), `${file}: ${name} has no label ${label}`)
      }
  }
  const dashboard: unknown = JSON.parse(
    readFileSync(join(repository, 'docs', 'monitoring', 'grafana-dashboard.json'), 'utf8'),
  )
  assert.ok(typeof dashboard === 'object' && dashboard !== null && 'panels' in dashboard)
  const guide = readFileSync(join(repository, 'docs', 'guide', 'monitoring.md'), 'utf8')
  for (const name of metricNames)
    assert.ok(guide.includes(`postern_${name}`), `the guide says nothing of ${name}`)
})

test('promtool takes the alert rules', async (t) => {
  const found = promtool()
  if (found === undefined) return t.skip('promtool of Debian cannot be had')
  const rules = join(repository, 'docs', 'monitoring', 'alert-rules.yml')
  const checked = spawnSync(found, ['check', 'rules', rules], { encoding: 'utf8' })
  assert.equal(checked.status, 0, checked.stdout + checked.stderr)
})

function promtool(): string | undefined {
  const fetched = fetchDebian(['prometheus'])
  const path = 'root' in fetched ? join(fetched.root, 'usr/bin/promtool') : ''
  return existsSync(path) ? path : undefined
}
