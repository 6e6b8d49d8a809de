/**
 * SIGKILL of any process of the daemon (parent, workers, children for local deliveries) at random moments under load: no
 * acknowledged message is lost, and one arrives twice only where its delivery was under way. Nobody repairs anything.
 * In small here; 120 kills and a restart with 100,000 messages with `POSTERN_SURVIVAL=full`.
 */
import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { crashedQueue } from '../support/long-queue.ts'
import { type RunningProcess, processTree } from '../support/processes.ts'
import { connectSmtp } from '../support/smtp-client.ts'
import { startSink } from '../support/smtp-sink.ts'
import { type StartedServer, startServer, temporaryFolder, until } from '../support/server.ts'

const full = process.env.POSTERN_SURVIVAL === 'full'
const kills = full ? 120 : 12
const clients = 8
const root = process.getuid?.() === 0
const hasProc = existsSync('/proc/self/stat')
/** Deliveries of one process at once: so many may come twice when it is killed. */
const deliveriesAtOnce = 100

const configuration = (sinkPort: number, mail: string): string => `primary_hostname = mx.example
daemon_workers = 2
smtp_accept_max = 0
smtp_accept_max_per_host = 0
acl_smtp_rcpt = accept
begin routers
out:
  driver = manualroute
  domains = out.example
  route_data = 127.0.0.1
  self = send
  transport = smtp
local:
  driver = accept
  transport = maildir
begin transports
smtp:
  driver = smtp
  port = ${sinkPort}
  allow_localhost
  hosts_avoid_tls = *
maildir:
  driver = appendfile
  directory = ${mail}
  create_directory = true
  create_file = anywhere
  maildir_format
  user = ${root ? 65534 : process.getuid?.()}
  group = ${root ? 65534 : process.getgid?.()}
begin retry
* * F,1d,1s
`

const kindOf = ({ pid, command }: RunningProcess, parent: number): string =>
  pid === parent ? 'parent' : command.includes('job-child') ? 'child for local deliveries' : 'worker'

test(`${kills} kills of any process at random moments under load: nothing acknowledged is lost`, {
  skip: hasProc ? false : 'needs /proc',
  timeout: full ? 900_000 : 240_000,
}, async (t) => {
  const folder = temporaryFolder('kills')
  chmodSync(folder.path, 0o777)
  const mail = join(folder.path, 'mail')
  mkdirSync(mail)
  chmodSync(mail, 0o777)
  const sink = await startSink()
  let server: StartedServer | undefined
  const start = async (): Promise<StartedServer> =>
    startServer({
      configuration: configuration(sink.port, mail),
      folder: folder.path,
      arguments: ['-q1s'],
      ...(server === undefined ? {} : { port: server.port }),
    })
  const acknowledged = new Set<string>()
  const killed = new Map<string, number>()
  let loading = true
  try {
    server = await start()
    const { port } = server
    const sources = Array.from({ length: clients }, async (_, number) => {
      for (let n = 0; loading; n++) {
        const id = `k${number}.${n}@source.example`
        const to = (n + number) % 3 === 0 ? 'u@local.example' : 'u@out.example'
        try {
          const client = await connectSmtp(port, '127.0.0.1', 15_000)
          try {
            await client.say('EHLO source.example')
            const body = 'line\n'.repeat(n % 10 === 0 ? 15_000 : 200)
            const reply = await client.deliver('a@source.example', [to], `Message-Id: <${id}>\n\n${body}`)
            if (reply.code === 250) acknowledged.add(id)
          } finally {
            client.end()
          }
        } catch {
          // Killed under this session, or nobody listens: nothing was promised.
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
      }
    })
    for (let count = 0; count < kills; count++) {
      // Under load: some messages are taken between two kills, however slow the machine is.
      const wanted = acknowledged.size + 15
      await until(() => (acknowledged.size >= wanted ? true : undefined), 10_000)
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 300))
      const parent: number = server.process.pid ?? 0
      const victims = processTree(parent)
      const kind = [...new Set(victims.map((each) => kindOf(each, parent)))][count % 3] ?? 'parent'
      const some = victims.filter((each) => kindOf(each, parent) === kind)
      const victim = some[Math.floor(Math.random() * some.length)]
      if (victim === undefined) continue
      process.kill(victim.pid, 'SIGKILL')
      killed.set(kind, (killed.get(kind) ?? 0) + 1)
      if (kind !== 'parent') continue
      // Whatever supervises the daemon starts it again, while its workers may still be ending.
      server = await start()
    }
    loading = false
    await Promise.all(sources)

    const arrivals = (): string[] => [
      ...sink.messages.map(({ data }) => idOf(data)),
      ...readdirSync(join(mail, 'new')).map((name) => idOf(readFileSync(join(mail, 'new', name), 'latin1'))),
    ]
    const missing = (): string[] => {
      const there = new Set(arrivals())
      return [...acknowledged].filter((id) => !there.has(id))
    }
    const running = server
    await until(() => {
      if (missing().length > 0) return undefined
      return running.command('-bpc').stdout === '0\n' ? true : undefined
    }, 120_000)
    assert.deepEqual(
      missing(),
      [],
      `of ${acknowledged.size} acknowledged these are lost; ${server.log('panic')}`,
    )
    assert.equal(server.command('-bpc').stdout, '0\n')
    const all = arrivals()
    const twice = all.length - new Set(all).size
    t.diagnostic(
      `${acknowledged.size} acknowledged, 0 lost, ${twice} came twice; killed: ${[...killed].map(([kind, n]) => `${kind} ${n}`).join(', ')}`,
    )
    assert.ok(acknowledged.size > kills * 5, `only ${acknowledged.size} were taken`)
    assert.ok(twice <= kills * deliveriesAtOnce, `${twice} of ${all.length} came twice`)
    if (full) assert.ok(twice <= acknowledged.size / 20, `${twice} of ${all.length} came twice`)
    assert.doesNotMatch(server.log('panic'), /damaged|Error:/)
  } finally {
    loading = false
    await server?.kill('SIGKILL')
    await sink.close()
    folder.remove()
  }
})

const idOf = (data: string): string => /^Message-Id: <(.*)>/im.exec(data)?.[1] ?? ''

const queued = full ? 100_000 : 10_000
test(`after a crash with ${queued} messages in the queue the daemon greets within 10 seconds and knows all of them`, {
  timeout: 240_000,
}, async (t) => {
  const times = await crashedQueue(queued)
  t.diagnostic(JSON.stringify(times))
  assert.equal(times.counted, `${queued}\n`)
  for (const row of times.starts) assert.ok(row.ms < 10_000, `${row.after}: ${row.ms} ms`)
})
