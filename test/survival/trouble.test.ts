/**
 * What the server depends on fails: a next hop that takes connections and never answers, dead DNS, a full log disk, a
 * clock that steps, little memory. The answer is a temporary one, nothing is lost, others are not held up, and all is as
 * before once the trouble is over, without a restart.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fetchDebian } from '../support/debian.ts'
import { startDnsServer } from '../support/dns-server.ts'
import { eachKib, processTree } from '../support/processes.ts'
import { postern, type StartedServer, startServer, temporaryFolder, until } from '../support/server.ts'
import { connectSmtp } from '../support/smtp-client.ts'
import { startSink } from '../support/smtp-sink.ts'

const root = process.getuid?.() === 0

const base = `primary_hostname = mx.example
host_lookup =
smtp_accept_max = 0
smtp_accept_max_per_host = 0
smtp_accept_max_per_connection = 0
smtp_accept_queue_per_connection = 0
acl_smtp_rcpt = accept
delay_warning =
`

/** Hands messages in over one connection; the codes of their final replies, and how long the slowest took. */
async function send(
  port: number,
  to: (n: number) => string,
  count: number,
  body = 'x\n',
): Promise<{ readonly codes: ReadonlySet<number>; readonly slowestMs: number }> {
  const client = await connectSmtp(port)
  const codes = new Set<number>()
  let slowestMs = 0
  try {
    await client.say('EHLO client.example')
    for (let n = 0; n < count; n++) {
      const from = performance.now()
      codes.add((await client.deliver('a@client.example', [to(n)], `Subject: ${n}\n\n${body}`)).code)
      slowestMs = Math.max(slowestMs, performance.now() - from)
    }
    return { codes, slowestMs }
  } finally {
    client.end()
  }
}

const queueIsEmpty = async (server: StartedServer, limitMs = 60_000): Promise<boolean> =>
  (await until(() => (server.command('-bpc').stdout === '0\n' ? true : undefined), limitMs)) ?? false

test('a next hop that accepts and never answers holds up its own mail only, and gets it once it answers', {
  timeout: 120_000,
}, async () => {
  const folder = temporaryFolder('hanging-hop')
  let hangs = true
  const good = await startSink()
  const deaf = await startSink({
    get greeting() {
      return hangs ? 'hang' : '220 back again'
    },
  })
  const server = await startServer({
    folder: folder.path,
    arguments: ['-q1s'],
    configuration: `${base}
begin routers
good:
  driver = manualroute
  domains = good.example
  route_data = 127.0.0.1
  self = send
  transport = good
deaf:
  driver = manualroute
  route_data = 127.0.0.1
  self = send
  transport = deaf
begin transports
good:
  driver = smtp
  port = ${good.port}
  allow_localhost
  hosts_avoid_tls = *
deaf:
  driver = smtp
  port = ${deaf.port}
  allow_localhost
  hosts_avoid_tls = *
  command_timeout = 25s
begin retry
* * F,1d,1s
`,
  })
  try {
    // More than there are connections to a host, and more than there are deliveries at once.
    const stuck = await send(server.port, (n) => `u${n}@deaf.example`, 300)
    assert.deepEqual([...stuck.codes], [250])
    await until(() => (deaf.connections >= 30 ? true : undefined), 20_000)
    const began = performance.now()
    const healthy = await send(server.port, (n) => `u${n}@good.example`, 20)
    assert.deepEqual([...healthy.codes], [250])
    await until(() => (good.messages.length >= 20 ? true : undefined), 20_000)
    const tookMs = performance.now() - began
    assert.equal(good.messages.length, 20, `after ${tookMs.toFixed(0)} ms\n${server.log().slice(-2000)}`)
    assert.ok(tookMs < 15_000, `healthy mail took ${tookMs.toFixed(0)} ms`)
    assert.ok(deaf.connections <= 45, `${deaf.connections} connections to a host that never answers`)
    hangs = false
    await until(
      () => (new Set(deaf.messages.map(({ rcpts }) => rcpts[0])).size >= 300 ? true : undefined),
      90_000,
    )
    assert.equal(deaf.messages.length, 300, 'each once')
    assert.ok(await queueIsEmpty(server))
    assert.doesNotMatch(server.log(), /\*\*/)
  } finally {
    await server.stop()
    await good.close()
    await deaf.close()
    folder.remove()
  }
})

test('dead DNS: 451 where a recipient is verified, 250 where not; both are delivered after it is back', async () => {
  const folder = temporaryFolder('dead-dns')
  const sink = await startSink()
  const zone = {
    'far.example MX': [{ type: 'MX', data: { preference: 1, exchange: 'mx.far.example' } }],
    'mx.far.example A': [{ type: 'A', data: '127.0.0.1' }],
  } as const
  const dns = await startDnsServer({})
  const everything = new Proxy({}, { get: () => 'silence' })
  dns.zone = everything
  const server = await startServer({
    folder: folder.path,
    arguments: ['-q1s'],
    environment: { POSTERN_DNS: `127.0.0.1:${dns.port}` },
    configuration: `${base.replace('acl_smtp_rcpt = accept', 'acl_smtp_rcpt = rcpt')}
dns_retrans = 1s
dns_retry = 1
begin acl
rcpt:
  accept local_parts = unverified
  require verify = recipient
  accept
begin routers
out:
  driver = dnslookup
  self = send
  ignore_target_hosts =
  transport = out
begin transports
out:
  driver = smtp
  port = ${sink.port}
  allow_localhost
  hosts_avoid_tls = *
begin retry
* * F,1d,1s
`,
  })
  try {
    assert.deepEqual([...(await send(server.port, () => 'unverified@far.example', 3)).codes], [250])
    const refused = await send(server.port, () => 'verified@far.example', 1)
    assert.deepEqual([...refused.codes], [451])
    assert.ok(refused.slowestMs < 15_000, `${refused.slowestMs} ms`)
    dns.zone = zone
    const again = await until(async () => {
      const { codes } = await send(server.port, () => 'verified@far.example', 1)
      return codes.has(250) ? true : undefined
    }, 20_000)
    assert.ok(again)
    await until(() => (sink.messages.length >= 4 ? true : undefined), 30_000)
    assert.equal(sink.messages.length, 4, server.log().slice(-2000))
    assert.doesNotMatch(server.log(), /\*\*/)
  } finally {
    await server.stop()
    await sink.close()
    await dns.close()
    folder.remove()
  }
})

const toFiles = (mail: string): string => `begin routers
all:
  driver = accept
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = ${mail}
  create_directory
  create_file = anywhere
  maildir_format
  user = ${root ? 65534 : process.getuid?.()}
  group = ${root ? 65534 : process.getgid?.()}
begin retry
* * F,1d,1s
`

/** A folder that the user of the deliveries may write, in one that he may enter. */
function mailFolder(folder: string): string {
  chmodSync(folder, 0o777)
  const mail = join(folder, 'mail')
  mkdirSync(mail)
  chmodSync(mail, 0o777)
  return mail
}

const delivered = (mail: string): number =>
  existsSync(join(mail, 'new')) ? readdirSync(join(mail, 'new')).length : 0

test('a full log disk stops no mail; with room again the log goes on', {
  skip: root ? false : 'only root can mount a small disk',
}, async (t) => {
  const folder = temporaryFolder('full-log')
  const mail = mailFolder(folder.path)
  const log = join(folder.path, 'log')
  mkdirSync(log)
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k,mode=777', 'tmpfs', log])
  if (mounted.status !== 0) {
    folder.remove()
    return t.skip('a tmpfs cannot be mounted here')
  }
  try {
    const server = await startServer({
      // With the default of 10M a small disk is refused before it is full, as in Exim.
      configuration: `${base}check_log_space = 0\ncheck_log_inodes = 0\n${toFiles(mail)}`,
      folder: folder.path,
    })
    try {
      const filler = join(log, 'filler')
      spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=4096'])
      // The page that the log ends in may still have room.
      const { codes } = await send(server.port, (n) => `u${n}@local.example`, 60)
      assert.deepEqual([...codes], [250])
      await until(() => (delivered(mail) >= 60 ? true : undefined), 30_000)
      assert.equal(delivered(mail), 60)
      rmSync(filler)
      await send(server.port, () => 'after@local.example', 1)
      const found = await until(() => (/=> after /.test(server.log()) ? true : undefined), 20_000)
      assert.ok(found, `the log goes on: ${server.log().slice(-500)}`)
    } finally {
      await server.stop()
    }
  } finally {
    spawnSync('umount', ['-l', log])
    folder.remove()
  }
})

test('a clock that steps an hour back and a day forward: sessions go on, no message is lost or takes the id of another', async (t) => {
  const fetched = fetchDebian(['libfaketime'])
  if ('missing' in fetched) return t.skip(fetched.missing)
  const library = findFile(join(fetched.root, 'usr/lib'), 'libfaketime.so.1')
  if (library === undefined) return t.skip('libfaketime has no library for this machine')
  const folder = temporaryFolder('clock')
  const mail = mailFolder(folder.path)
  const clock = join(folder.path, 'clock')
  writeFileSync(clock, '+0')
  chmodSync(clock, 0o644)
  const program = join(folder.path, 'postern')
  const variables = `LD_PRELOAD=${library} FAKETIME_TIMESTAMP_FILE=${clock} FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1`
  writeFileSync(program, `#!/bin/sh\nexec env ${variables} ${postern} "$@"\n`)
  chmodSync(program, 0o755)
  const server = await startServer({
    configuration: `${base}${toFiles(mail)}`,
    folder: folder.path,
    program,
    arguments: ['-q1s'],
  })
  try {
    const open = await connectSmtp(server.port)
    await open.say('EHLO client.example')
    let sent = 0
    for (const step of ['-3600', '+0', '+86400', '+0', '-86400']) {
      writeFileSync(clock, step)
      assert.equal((await open.say('NOOP')).code, 250, `an open session, clock ${step}`)
      assert.equal((await open.deliver('a@client.example', ['u@local.example'], 'x\n\nx\n')).code, 250)
      const { codes } = await send(server.port, (n) => `u${n}@local.example`, 5)
      assert.deepEqual([...codes], [250])
      sent += 6
      await until(() => (delivered(mail) >= sent ? true : undefined), 20_000)
      assert.equal(delivered(mail), sent, `clock ${step}: ${server.log().slice(-1500)}`)
    }
    const ids = [...server.log().matchAll(/^\S+ \S+ (\S+) <= /gm)].map(([, id]) => id)
    assert.equal(ids.length, sent)
    assert.equal(new Set(ids).size, sent, 'each id once')
    const days = new Set([...server.log().matchAll(/^(\d{4}-\d\d-\d\d) \S+ \S+ <= /gm)].map(([, day]) => day))
    assert.ok(days.size >= 3, `the server saw the steps: ${[...days].join(' ')}`)
    open.end()
    assert.ok(await queueIsEmpty(server))
  } finally {
    await server.stop()
    folder.remove()
  }
})

test('512 MB for the whole daemon: large messages, many messages and many connections at once, and none is lost', {
  skip: root ? false : 'only root may limit a group of processes',
  timeout: 180_000,
}, async (t) => {
  const limitBytes = 512 << 20
  const group = memoryGroup(limitBytes)
  const folder = temporaryFolder('memory')
  const mail = mailFolder(folder.path)
  const program = join(folder.path, 'postern')
  // Without a group no process may have more by itself; later versions of Node reserve more at once than they will ever use.
  const ofEach = `ulimit -d ${limitBytes >> 10}`
  const starts = spawnSync('sh', ['-c', `${ofEach} && exec ${process.execPath} -e 0`]).status === 0
  const limit = group !== undefined ? `echo $$ > ${group.path}/cgroup.procs` : starts ? ofEach : ':'
  writeFileSync(program, `#!/bin/sh\n${limit}\nexec ${postern} "$@"\n`)
  chmodSync(program, 0o755)
  const server = await startServer({
    configuration: `${base}message_size_limit = 50M\n${toFiles(mail)}`,
    folder: folder.path,
    program,
    arguments: ['-q1s'],
  })
  const idle: { end(): void }[] = []
  let mostKib = 0
  let mostOfOneKib = 0
  const watch = setInterval(() => {
    const each = eachKib(server.process.pid ?? 0)
    mostKib = Math.max(
      mostKib,
      each.reduce((sum, kib) => sum + kib, 0),
    )
    mostOfOneKib = Math.max(mostOfOneKib, ...each)
  }, 200)
  try {
    const before = processTree(server.process.pid ?? 0).map(({ pid }) => pid)
    while (idle.length < 1000) {
      idle.push(...(await Promise.all(Array.from({ length: 50 }, () => connectSmtp(server.port)))))
    }
    const line = `${'x'.repeat(76)}\n`
    const load = [
      ...Array.from({ length: 10 }, () =>
        send(server.port, (n) => `u${n}@local.example`, 60, line.repeat(50)),
      ),
      ...Array.from({ length: 8 }, () =>
        send(server.port, () => 'big@local.example', 1, line.repeat(260_000)),
      ),
    ]
    for (const { codes } of await Promise.all(load)) assert.deepEqual([...codes], [250])
    await until(() => (delivered(mail) >= 608 ? true : undefined), 60_000)
    assert.equal(delivered(mail), 608)
    const after = processTree(server.process.pid ?? 0).map(({ pid }) => pid)
    assert.ok(
      before.every((pid) => after.includes(pid)),
      `no process was killed: ${server.log('panic')}`,
    )
    const limited =
      group !== undefined
        ? `most memory of the group: ${mostMemory(group)}`
        : starts
          ? 'each process limited'
          : 'nothing limited'
    t.diagnostic(`${limited}; most memory of all processes: ${Math.round(mostKib / 1024)} MiB`)
    // In a group the system sees to the sum; children for local deliveries are as many as the memory allows.
    assert.ok(mostOfOneKib * 1024 < limitBytes, `one process: ${Math.round(mostOfOneKib / 1024)} MiB`)
    assert.ok(group === undefined || mostKib * 1024 < limitBytes, `${Math.round(mostKib / 1024)} MiB`)
  } finally {
    clearInterval(watch)
    for (const each of idle) each.end()
    await server.stop()
    if (group !== undefined) spawnSync('rmdir', [group.path])
    folder.remove()
  }
})

interface MemoryGroup {
  readonly path: string
  /** The file that tells the most it had. */
  readonly peak: string
}

/** A control group with this limit, of version 2 or 1; undefined where none can be made. */
function memoryGroup(bytes: number): MemoryGroup | undefined {
  for (const [root, limit, peak] of [
    ['/sys/fs/cgroup', 'memory.max', 'memory.peak'],
    ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes', 'memory.max_usage_in_bytes'],
  ] as const) {
    const path = join(root, `postern-test-${process.pid}`)
    try {
      mkdirSync(path)
      // Elsewhere the folder is an ordinary one, or a group without this file.
      if (existsSync(join(path, limit))) {
        writeFileSync(join(path, limit), String(bytes))
        return { path, peak: join(path, peak) }
      }
    } catch {
      // Not allowed here.
    }
    spawnSync('rmdir', [path])
  }
  return undefined
}

function mostMemory({ peak }: MemoryGroup): string {
  return existsSync(peak) ? `${Math.round(Number(readFileSync(peak, 'utf8')) / 2 ** 20)} MiB` : 'unknown'
}

function findFile(folder: string, name: string): string | undefined {
  if (!existsSync(folder)) return undefined
  const found = readdirSync(folder, { recursive: true, encoding: 'utf8' }).find((each) =>
    each.endsWith(`/${name}`),
  )
  return found === undefined ? undefined : join(folder, found)
}
