/** Options of the queue, of bounces and of remote deliveries, seen on a started server or a whole delivery. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { createResolver } from '../src/wire/dns/resolver.ts'
import { startDnsServer } from './support/dns-server.ts'
import { deliveryWorld } from './support/delivery-world.ts'
import { postern, type StartedServer, startServer, temporaryFolder, until } from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'
import { type Sink, type SinkScript, startSink } from './support/smtp-sink.ts'

interface Place {
  readonly server: StartedServer
  readonly sink: Sink
  send(to: readonly string[], from?: string): Promise<void>
}

/** Runs the program without holding up the servers of this process. */
async function run(server: StartedServer, ...args: string[]): Promise<number | null> {
  const child = spawn(postern, ['-C', server.configurationFile, ...args], { stdio: 'ignore' })
  return new Promise((resolve) => child.once('close', resolve))
}

async function withServer(
  options: {
    readonly main?: string
    readonly transport?: string
    readonly script?: SinkScript
    readonly args?: readonly string[]
  },
  work: (place: Place) => Promise<void>,
): Promise<void> {
  const folder = temporaryFolder('queue-options')
  const sink = await startSink(options.script)
  const server = await startServer({
    folder: folder.path,
    arguments: options.args ?? ['-q1m'],
    configuration: `
primary_hostname = mta.example
acl_smtp_mail = named
acl_smtp_rcpt = ok
${options.main ?? ''}
begin acl
ok:
  accept
named:
  accept queue = \${if eq{$sender_address_local_part}{slow}{slow}}
begin routers
defer:
  driver = redirect
  domains = defer.test
  allow_defer
  data = :defer: not now
remote:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = out
begin transports
out:
  driver = smtp
  port = ${sink.port}
  command_timeout = 5s
  ${options.transport ?? ''}
begin retry
* * F,1h,15m
`,
  })
  try {
    await work({
      server,
      sink,
      async send(to, from = 's@from.example') {
        const client = await connectSmtp(server.port)
        await client.say('EHLO client.example')
        assert.equal((await client.deliver(from, to, 'Subject: x\r\n\r\nhello\r\n')).code, 250)
        client.end()
      },
    })
  } finally {
    await server.stop()
    await sink.close()
    folder.remove()
  }
}

describe('named queues', () => {
  test('a message goes where the ACL says, and each queue has its listing, its count and its runs', async () => {
    await withServer({ main: 'queue_only' }, async ({ server, sink, send }) => {
      await send(['a@x.test'])
      await send(['b@x.test'], 'slow@from.example')
      assert.equal(server.command('-bpc').stdout, '1\n')
      assert.equal(server.command('-bpc', '-qGslow').stdout, '1\n')
      assert.match(server.command('-bp', '-qGslow').stdout, /<slow@from\.example>\n {10}b@x\.test\n\n$/)
      assert.match(server.command('-qGslow', '-bp').stdout, /slow@/)
      assert.doesNotMatch(server.command('-bp').stdout, /slow@/)
      assert.equal(await run(server, '-q'), 0)
      assert.equal(sink.messages.length, 1)
      assert.equal(server.command('-bpc', '-qGslow').stdout, '1\n')
      const id = /(\S+) <slow/.exec(server.command('-bp', '-qGslow').stdout)?.[1] ?? ''
      assert.equal(server.command('-qGslow', '-MG', 'other', id).stdout, `Message ${id} \n`)
      assert.match(
        server.log(),
        new RegExp(`${id} moved from \\(slow\\) input, msglog to \\(other\\) input, msglog`),
      )
      assert.equal(server.command('-bpc', '-qGslow').stdout, '0\n')
      assert.equal(await run(server, '-qqGother'), 0)
      assert.match(server.log(), /Start 'other' queue run: pid=\d+ -qq\n/)
      assert.match(server.log(), /End 'other' queue run: pid=\d+ -qq\n/)
      assert.equal(sink.messages.length, 2)
      await send(['c@x.test'], 'slow@from.example')
      const next = /(\S+) <slow/.exec(server.command('-bp', '-qGslow').stdout)?.[1] ?? ''
      server.command('-MG', '', next)
      assert.equal(server.command('-bpc').stdout, '1\n')
    })
  })
})

test('move_frozen_messages: a frozen message leaves the queue for one of its own', async () => {
  await withServer(
    { main: 'move_frozen_messages', script: { rcpt: () => '550 no' } },
    async ({ server, send }) => {
      await send(['a@x.test'], '')
      const [, id = ''] = await server.logged(/ (\S+) Frozen \(delivery error message\)/)
      assert.equal(server.command('-bpc').stdout, '0\n')
      assert.match(server.command('-bp', '-qGFinput').stdout, new RegExp(`${id} <> \\*\\*\\* frozen`))
    },
  )
})

test('preserve_message_logs: the log of a message stays after its completion', async () => {
  await withServer({ main: 'preserve_message_logs' }, async ({ server, send }) => {
    await send(['a@x.test'])
    const [, id = ''] = await server.logged(/ (\S+) Completed/)
    const folder = join(server.folder, 'spool', 'msglog.OLD')
    for (let i = 0; i < 200 && !existsSync(join(folder, id)); i++)
      await new Promise((resolve) => setTimeout(resolve, 20))
    assert.deepEqual(readdirSync(folder), [id])
    assert.match(
      readFileSync(join(folder, id), 'latin1'),
      /a@x\.test: out transport succeeded\n[^\n]* Completed\n$/,
    )
  })
})

test('bounce_sender_authentication: a bounce says AUTH= to a host that takes it', async () => {
  const script = {
    rcpt: (line: string) => (line.includes('bad@') ? '550 no' : '250 ok'),
    extensions: ['AUTH PLAIN'],
  }
  const transport = 'authenticated_sender_force'
  await withServer(
    { main: 'bounce_sender_authentication = bounces@mta.example', script, transport },
    async ({ server, sink, send }) => {
      await send(['bad@x.test'])
      await server.logged(/=> s@from\.example/)
      assert.match(sink.messages[0]?.mail ?? '', /^MAIL FROM:<> .*AUTH=bounces@mta\.example/)
    },
  )
})

test('deliver_queue_load_max: a queue run is abandoned when the load is above it', async () => {
  // An idle machine has no load: this process makes some.
  const busy = spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' })
  try {
    const loaded = await until(() => ((loadavg()[0] ?? 0) >= 0.05 ? true : undefined), 60_000)
    assert.equal(loaded, true)
    await withServer(
      { main: 'queue_only\ndeliver_queue_load_max = 0.0001' },
      async ({ server, sink, send }) => {
        await send(['a@x.test'])
        await run(server, '-q')
        assert.match(server.log(), /Abandon queue run: pid=\d+ \(load \d+\.\d\d, max 0\.00\)/)
        assert.equal(sink.messages.length, 0)
        assert.equal(server.command('-bpc').stdout, '1\n')
      },
    )
  } finally {
    busy.kill('SIGKILL')
  }
  await withServer({ main: 'queue_only\ndeliver_queue_load_max = 10000' }, async ({ server, sink, send }) => {
    await send(['a@x.test'])
    await run(server, '-q')
    assert.doesNotMatch(server.log(), /Abandon queue run/)
    assert.equal(sink.messages.length, 1)
  })
})

test('serialize_hosts: one connection to a host at a time', async () => {
  let open = 0
  let most = 0
  const script: SinkScript = {
    mail: () => {
      most = Math.max(most, ++open)
      return '250 ok'
    },
    end: () => {
      open--
      return '250 taken'
    },
  }
  await withServer({ script, transport: 'serialize_hosts = *' }, async ({ server, sink, send }) => {
    await Promise.all(Array.from({ length: 8 }, (_, i) => send([`u${i}@x.test`])))
    for (let i = 0; i < 8; i++) await server.logged(new RegExp(`=> u${i}@x\\.test`), 30_000)
    assert.equal(sink.messages.length, 8)
    assert.equal(most, 1)
  })
})

test('max_parallel: no more deliveries of a transport at once', async () => {
  // A host that greets late: deliveries that may meet do.
  const script = { greetingMs: 700 }
  const mostOf = async (transport: string): Promise<number> => {
    let most = 0
    await withServer({ transport, script }, async ({ server, sink, send }) => {
      await Promise.all(Array.from({ length: 8 }, (_, i) => send([`u${i}@x.test`])))
      for (let i = 0; i < 8; i++) await server.logged(new RegExp(`=> u${i}@x\\.test`), 30_000)
      assert.equal(sink.messages.length, 8)
      most = sink.mostOpen
    })
    return most
  }
  assert.ok((await mostOf('')) > 2, 'without the option more than two meet')
  const limited = await mostOf('max_parallel = 2')
  assert.ok(limited > 0 && limited <= 2, `${limited} at once`)
})

test('queue_run_max: no more queue runs at once', async () => {
  for (const [most, overlap] of [
    [1, false],
    [3, true],
  ] as const) {
    await withServer(
      {
        main: `queue_only\nqueue_run_in_order\nqueue_run_max = ${most}`,
        args: ['-q1s'],
        script: { greetingMs: 4000 },
      },
      async ({ server, send }) => {
        await send(['a@x.test'])
        await server.logged(/=> a@x\.test/, 30_000)
        const lines = [...server.log().matchAll(/(Start|End) queue run/g)].map(([, word]) => word)
        let open = 0
        let most = 0
        for (const word of lines) {
          open += word === 'Start' ? 1 : -1
          most = Math.max(most, open)
        }
        assert.equal(most > 1, overlap, server.log())
      },
    )
  }
})

test('smtp_connect_backlog: how many connections the system holds for us', async (t) => {
  const backlogOf = (port: number): number | undefined => {
    const { stdout } = spawnSync('ss', ['-Hltn', `sport = :${port}`], { encoding: 'utf8' })
    const found = /^LISTEN +\d+ +(\d+)/m.exec(stdout ?? '')?.[1]
    return found === undefined ? undefined : Number(found)
  }
  await withServer({ main: 'smtp_connect_backlog = 777' }, async ({ server }) => {
    const found = backlogOf(server.port)
    if (found === undefined) return t.skip('no ss on this machine')
    const limit = Number(readFileSync('/proc/sys/net/core/somaxconn', 'latin1'))
    assert.equal(found, Math.min(777, limit))
  })
})

const remote = (port: number, main: string, transport = ''): string => `
primary_hostname = mta.example
${main}
begin routers
r:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = t
begin transports
t:
  driver = smtp
  port = ${port}
  multi_domain = false
  ${transport}
begin retry
* * F,2h,15m
`

test('remote_sort_domains: remote deliveries go in the order of the list', async () => {
  const sink = await startSink()
  const world = deliveryWorld(
    remote(sink.port, 'remote_sort_domains = *.first.test : second.test\nremote_max_parallel = 1'),
  )
  try {
    await world.deliver(world.claim(['a@other.test', 'b@second.test', 'c@x.first.test']))
    const order = sink.messages.map(({ rcpts }) => /<(.)@/.exec(rcpts[0] ?? '')?.[1])
    assert.deepEqual(order, ['c', 'b', 'a'])
  } finally {
    world.close()
    await sink.close()
  }
})

test('delay_after_cutoff = false: past the cutoff, a new message tries a host that was not tried since it came', async () => {
  for (const [value, tried] of [
    ['true', false],
    ['false', true],
  ] as const) {
    const sink = await startSink({ greeting: '421 busy' })
    const world = deliveryWorld(remote(sink.port, '', `delay_after_cutoff = ${value}`))
    try {
      await world.deliver(world.claim(['a@x.test']))
      world.pass(7300)
      await world.deliver(world.claim(['b@x.test'], { receivedAt: Date.now() }), { queueRun: true })
      assert.match(world.log.join('\n'), /\*\* b@x\.test: retry timeout exceeded/)
      world.pass(10)
      const before = sink.connections
      await world.deliver(world.claim(['c@x.test'], { receivedAt: Date.now() + 7_305_000 }))
      assert.equal(sink.connections > before, tried, value)
      assert.match(world.log.join('\n'), /\*\* c@x\.test/)
    } finally {
      world.close()
      await sink.close()
    }
  }
})

test('a retry rule for lookup is for hosts that cannot be found', async () => {
  const dns = await startDnsServer({})
  const resolver = createResolver({ servers: [{ address: '127.0.0.1', port: dns.port }] })
  const world = deliveryWorld(
    `
primary_hostname = mta.example
begin routers
m:
  driver = manualroute
  route_list = * nohost.invalid
  host_find_failed = defer
  transport = t
begin transports
t:
  driver = smtp
begin retry
* lookup F,1d,10m
* * F,4d,1h
`,
    { resolver },
  )
  try {
    const summary = await world.deliver(world.claim(['a@m.test']))
    assert.match(
      world.log.join('\n'),
      /== a@m\.test R=m defer \(-32\): lookup of host "nohost\.invalid" failed in m router/,
    )
    assert.ok(Math.abs((summary.nextAttemptAt ?? 0) - Date.now() - 600_000) < 5000)
  } finally {
    world.close()
    await dns.close()
  }
})
