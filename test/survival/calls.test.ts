/**
 * Calls from the shell beside a daemon under load: submissions, listings, queue runs, each a process that opens the queue and
 * the hints for a moment. None fails, nothing acknowledged is lost, nothing is delivered twice.
 * In small here; two minutes with `POSTERN_SURVIVAL=full`.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { connectSmtp } from '../support/smtp-client.ts'
import { localUser, postern, type StartedServer, startServer, temporaryFolder } from '../support/server.ts'

const full = process.env.POSTERN_SURVIVAL === 'full'
const loadMs = full ? 120_000 : 12_000
const clients = 3
const message = 'Subject: load\n\nhello\n'

const configuration = (mail: string): string => `primary_hostname = mx.example
daemon_workers = 2
acl_smtp_rcpt = accept
begin routers
later:
  driver = redirect
  domains = later.example
  allow_defer
  data = :defer: later
local:
  driver = accept
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = ${mail}
  maildir_format
  user = ${localUser}
begin retry
* * F,1h,2s
`

const calls = [
  ['-bp'],
  ['-bpc'],
  ['-odq', '-oi', 'c@later.example'],
  ['-odi', '-oi', 'd@local.example'],
  ['-q'],
] as const

test('calls from the shell beside a daemon under load: none fails, nothing is lost or comes twice', {
  timeout: loadMs + 120_000,
}, async (t) => {
  const folder = temporaryFolder('calls')
  chmodSync(folder.path, 0o777)
  const mail = join(folder.path, 'mail')
  mkdirSync(mail)
  chmodSync(mail, 0o777)
  let loading = true
  const acknowledged = new Set<string>()
  const complaints: string[] = []
  const made = new Map<string, number>()

  const send = async ({ port }: StartedServer): Promise<void> => {
    for (let n = 0; loading; n++) {
      const client = await connectSmtp(port, '127.0.0.1', 30_000)
      await client.say('EHLO source.example')
      const to = n % 2 === 0 ? 'a@later.example' : 'b@local.example'
      const reply = await client.deliver('s@source.example', [to], message)
      const id = /OK id=(\S+)/.exec(reply.lines.join(' '))?.[1]
      if (id === undefined) complaints.push(`SMTP: ${reply.lines.join(' ')}`)
      else acknowledged.add(id)
      client.end()
    }
  }
  const call = async ({ configurationFile }: StartedServer, words: readonly string[]): Promise<void> => {
    while (loading) {
      const child = spawn(postern, ['-C', configurationFile, ...words], { stdio: ['pipe', 'ignore', 'pipe'] })
      let said = ''
      child.stderr.on('data', (bytes: Buffer) => (said += bytes.toString()))
      // A listing reads nothing.
      child.stdin.on('error', () => undefined)
      child.stdin.end(message)
      const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
      made.set(words[0] ?? '', (made.get(words[0] ?? '') ?? 0) + 1)
      if (code !== 0 || said !== '') complaints.push(`${words.join(' ')}: ${code} ${said}`)
    }
  }

  let server: StartedServer | undefined
  try {
    const running = await startServer({
      configuration: configuration(mail),
      folder: folder.path,
      arguments: ['-q2s'],
    })
    server = running
    const work = [
      ...Array.from({ length: clients }, () => send(running)),
      ...calls.map((words) => call(running, words)),
    ]
    await new Promise((resolve) => setTimeout(resolve, loadMs))
    loading = false
    await Promise.all(work)
    await running.stop()

    const log = running.log()
    for (const [, id] of log.matchAll(/ (\S{16,23}) <= /g)) if (id !== undefined) acknowledged.add(id)
    const completed = new Map<string, number>()
    for (const [, id = ''] of log.matchAll(/ (\S{16,23}) Completed/g))
      completed.set(id, (completed.get(id) ?? 0) + 1)
    const listed = new Set(running.command('-bpi').stdout.split('\n'))
    t.diagnostic(
      `${acknowledged.size} messages, ${listed.size - 1} wait; calls: ${[...made].map(([flag, n]) => `${flag} ${n}`).join(', ')}`,
    )
    assert.deepEqual(complaints, [])
    const all = [...acknowledged]
    assert.deepEqual(
      all.filter((id) => !completed.has(id) && !listed.has(id)),
      [],
      'lost',
    )
    assert.deepEqual(
      all.filter((id) => (completed.get(id) ?? 0) + (listed.has(id) ? 1 : 0) > 1),
      [],
      'twice',
    )
    assert.equal(running.log('panic'), '')
    assert.doesNotMatch(log, /begun anew|writing the spool index|damaged/)
    assert.ok(acknowledged.size > 50, `only ${acknowledged.size} were taken`)
  } finally {
    loading = false
    await server?.kill('SIGKILL')
    folder.remove()
  }
})
