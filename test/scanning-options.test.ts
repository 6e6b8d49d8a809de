/** Options of the servers in av_scanner and spamd_address, beside Exim 4.96 where there is one; and `-bmalware`. */
import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type StandIn, standInClamd, standInSpamd } from './support/scanners.ts'
import { freePort, postern, type StartedServer, startServer, temporaryFolder } from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'

const exim = process.env.POSTERN_TEST_EXIM4 ?? '/usr/sbin/exim4'
const withExim = existsSync(exim) && process.getuid?.() === 0
const folder = temporaryFolder('scanning-options')
const servers: { readonly name: string; readonly server: StartedServer }[] = []
let first: StandIn
let second: StandIn
let clamd: StandIn
/** Nobody listens there, or only later. */
let late: number

const hour = (offset: number): number => (new Date().getHours() + offset + 24) % 24
/** A window of the day, as local time goes: around now, or an hour that is over. */
const around = (): string => (new Date().getHours() === 23 ? '23-24' : `${hour(0)}-${hour(1)}`)
const elsewhere = (): string => (new Date().getHours() < 3 ? '20-21' : `${hour(-2)}-${hour(-1)}`)

function lists(): Record<string, string> {
  const [a, b] = [first.port, second.port].map((port) => `127.0.0.1 ${port}`)
  return {
    s_priority: `${a} pri=1 : ${b} pri=5`,
    s_priority_gone: `${a} pri=1 : 127.0.0.1 ${late} pri=5`,
    s_weight: `${a} weight=0 : ${b} weight=1000`,
    s_time: `${a} time=${elsewhere()} : ${b} time=${around()}`,
    s_time_seconds: `${a} time=${elsewhere().replaceAll(/\d+/g, '$&.00.00')} : ${b}`,
    s_never: `${a} time=${elsewhere()}`,
    s_retry: `127.0.0.1 ${late} retry=3s`,
    s_tmo: `${a} tmo=1s`,
    s_ports: `127.0.0.1 ${late}-${late} : ${b}`,
    s_bad: `${a} what=x : ${b}`,
    s_badtime: `${a} time=x-y : ${b}`,
    s_separator: `<; <|127.0.0.1|${second.port}|pri=2 ; ${a}`,
    c_retry: `clamd:127.0.0.1 ${late} retry=3s`,
    c_retry_two: `clamd:127.0.0.1 ${late} retry=1s : 127.0.0.1 ${clamd.port}`,
    c_bad: `clamd:127.0.0.1 ${clamd.port} what=x`,
    c_local: `clamd:127.0.0.1 ${clamd.port}:local`,
  }
}

function configuration(): string {
  const all = Object.entries(lists())
  const statements = all.map(([name, list]) => {
    const about = `condition = \${if eq{$h_x-test:}{${name}}}`
    return name.startsWith('s')
      ? `  warn ${about}\n       set acl_m_spamd = ${list}`
      : `  warn ${about}\n       set acl_m_av = ${list}`
  })
  return `primary_hostname = mx.test
host_lookup =
tls_advertise_hosts =
keep_environment = TZ
queue_only
smtp_accept_max_nonmail = 10000
av_scanner = $acl_m_av
spamd_address = $acl_m_spamd
acl_smtp_rcpt = accept
acl_smtp_data = data
begin acl
data:
${statements.join('\n')}
  deny condition = \${if def:acl_m_av}
       malware = *
       message = malware $malware_name
  accept condition = \${if def:acl_m_av}
         logwrite = CLEAN
  accept spam = nobody:true
       logwrite = SPAM $spam_score by $callout_address
  accept
begin routers
all:
  driver = accept
  transport = null
begin transports
null:
  driver = appendfile
  file = /dev/null
`
}

before(async () => {
  late = await freePort()
  ;[first, second, clamd] = await Promise.all([standInSpamd(), standInSpamd(), standInClamd()])
  for (const name of withExim ? ['postern', 'exim'] : ['postern']) {
    const home = join(folder.path, name)
    mkdirSync(home)
    chmodSync(folder.path, 0o777)
    const server = await startServer({
      folder: home,
      arguments: [],
      configuration: configuration(),
      ...(name === 'exim' ? { program: exim } : {}),
    })
    servers.push({ name, server })
  }
})
after(async () => {
  for (const { server } of servers) await server.stop()
  for (const each of [first, second, clamd]) await each?.close()
  folder.remove()
})

async function send(server: StartedServer, name: string, body: string): Promise<string> {
  const client = await connectSmtp(server.port)
  try {
    await client.say('EHLO client.test')
    const reply = await client.deliver('a@b.test', ['c@d.test'], `X-Test: ${name}\n\n${body}\n`)
    return reply.raw.replace(/ id=\S+/, '').trim()
  } finally {
    client.end()
  }
}

/** Who was asked, by the number of its questions before. */
function whoWas(counts: readonly number[]): string {
  return [first, second, clamd]
    .flatMap((each, i) => (each.asked.length > (counts[i] ?? 0) ? [['first', 'second', 'clamd'][i]] : []))
    .join(' ')
}

const counts = (): number[] => [first, second, clamd].map((each) => each.asked.length)

/** Exim 4.96 asks servers outside of their time of day too, and those with an option that it does not know. */
const ours = new Set(['s_time', 's_time_seconds', 's_never', 's_bad', 's_badtime'])

const rows: readonly (readonly [name: string, says: string, asked: string, reply: string, body?: string])[] =
  [
    ['s_priority', 'the higher priority comes first', 'second', '250 OK'],
    ['s_priority_gone', 'a lower one when the higher does not answer', 'first', '250 OK'],
    ['s_weight', 'weight decides', 'second', '250 OK'],
    ['s_time', 'only in its time of day', 'second', '250 OK'],
    ['s_time_seconds', 'a time with minutes and seconds', 'second', '250 OK'],
    [
      's_never',
      'none is in its time: the condition fails to be decided',
      '',
      '451 Temporary local problem - please try later',
    ],
    ['s_tmo', 'tmo ends the wait', 'first', '451 Temporary local problem - please try later', 'SILENT'],
    ['s_ports', 'a range of ports', 'second', '250 OK'],
    ['s_bad', 'a server with an unknown option is left out', 'second', '250 OK'],
    ['s_badtime', 'a server with a bad time is left out', 'second', '250 OK'],
    ['s_separator', 'another separator between the words', 'second', '250 OK'],
    ['c_retry_two', 'clamd: the second server after the first has been tried twice', 'clamd', '250 OK'],
    [
      'c_bad',
      'clamd: an unknown option leaves no server',
      '',
      '451 Temporary local problem - please try later',
    ],
    ['c_local', 'clamd: a file is named, and not streamed', 'clamd', '250 OK'],
  ]
for (const [name, says, asked, reply, body = 'x'] of rows) {
  for (const who of withExim && !ours.has(name) ? ['exim', 'postern'] : ['postern']) {
    test(`${who}: ${says}`, { timeout: 120_000 }, async () => {
      const { server } = servers.find((each) => each.name === who) ?? {}
      assert.ok(server)
      const begin = counts()
      assert.equal(await send(server, name, body), reply, server.log())
      assert.equal(whoWas(begin), asked)
    })
  }
}

for (const [name, open] of [
  ['s_retry', () => answering('SPAMD/1.1 0 EX_OK\r\nSpam: False ; 1.5 / 5.0\r\n\r\nx\n')],
  ['c_retry', () => answering('stream: OK\0')],
] as const) {
  for (const who of withExim ? ['exim', 'postern'] : ['postern']) {
    test(`${who}: ${name}: a connection that fails is tried once more after that time`, {
      timeout: 120_000,
    }, async () => {
      const { server } = servers.find((each) => each.name === who) ?? {}
      assert.ok(server)
      const waiting = send(server, name, 'x')
      const began = Date.now()
      await new Promise((resolve) => setTimeout(resolve, 1000))
      const listener = open()
      await new Promise<void>((resolve) => listener.listen(late, '127.0.0.1', resolve))
      try {
        assert.equal(await waiting, '250 OK', server.log())
        assert.ok(Date.now() - began >= 2900)
      } finally {
        await new Promise((resolve) => listener.close(resolve))
      }
    })
  }
}

/** Answers once something has come. */
function answering(text: string): Server {
  return createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => setTimeout(() => socket.end(text), 300))
    socket.resume()
  })
}

for (const [says, list, file, status, out] of [
  ['a virus', () => `clamd:127.0.0.1 ${clamd.port}`, 'VIRUS:Eicar', 1, 'Malware found: Eicar\n'],
  ['none', () => `clamd:127.0.0.1 ${clamd.port}`, 'nothing', 0, 'No malware found.\n'],
  ['a command', () => 'cmdline:/bin/grep -r VIRUS %s:VIRUS:(VIRUS)', 'VIRUS', 1, 'Malware found: VIRUS\n'],
  ['a scanner that is gone', () => `clamd:127.0.0.1 ${late}`, 'x', 1, ''],
  ['a scanner that is none', () => 'bogus:x', 'x', 1, ''],
] as const) {
  test(`-bmalware: ${says}`, async () => {
    const [postern] = servers
    assert.ok(postern)
    const path = join(folder.path, 'scanned')
    writeFileSync(path, `Subject: x\n\n${file}\n`)
    const configured = join(folder.path, 'bmalware.conf')
    writeFileSync(
      configured,
      `av_scanner = ${list()}\nspool_directory = ${folder.path}/spool\nlog_file_path = ${folder.path}/%slog\n`,
    )
    const ran = await runPostern(['-C', configured, '-bmalware', path])
    assert.deepEqual([ran.status, ran.stdout], [status, out], ran.stderr)
    if (out === '') assert.match(ran.stderr, /^Malware lookup returned non-okay\/fail: 1$/m)
  })
}

async function runPostern(
  args: readonly string[],
): Promise<{ readonly status: number | null; readonly stdout: string; readonly stderr: string }> {
  const child = spawn(postern, args)
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (bytes: Buffer) => (stdout += bytes.toString('latin1')))
  child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString('latin1')))
  const [status] = (await once(child, 'close')) as [number | null]
  return { status, stdout, stderr }
}
