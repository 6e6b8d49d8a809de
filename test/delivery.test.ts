/** Delivery over real sockets and into real folders: what arrives, what is logged, what is kept. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type DeliveryWorld, deliveryWorld, type DeliveryWorldOptions } from './support/delivery-world.ts'
import { repository } from './support/server.ts'
import { type Sink, type SinkScript, startSink } from './support/smtp-sink.ts'

const folder = mkdtempSync(join(tmpdir(), 'postern-delivery-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** A configuration with one of everything; the sink listens on the port. */
function configuration(port: number, more: { smtp?: string; main?: string; retry?: string } = {}): string {
  return `
primary_hostname = mta.example
qualify_domain = mta.example
delay_warning = 0s
${more.main ?? ''}
begin routers
maildir:
  driver = accept
  domains = local.test
  transport = t_maildir
fail:
  driver = redirect
  domains = fail.test
  allow_fail
  data = :fail: no such thing here
defer:
  driver = redirect
  domains = defer.test
  allow_defer
  data = :defer: come back later
hole:
  driver = redirect
  domains = hole.test
  data = :blackhole:
alias:
  driver = redirect
  domains = alias.test
  data = one@sink.test, two@sink.test, three@local.test
same:
  driver = redirect
  domains = same.test
  data = one@sink.test
once:
  driver = redirect
  domains = once.test
  data = one@sink.test, two@sink.test
  one_time
  errors_to = owner@sink.test
nested:
  driver = redirect
  domains = nested.test
  data = l@once.test, n@same.test
onceself:
  driver = redirect
  domains = onceself.test
  data = one@onceself.test, two@sink.test
  one_time
  repeat_use = false
self:
  driver = redirect
  domains = self.test
  local_parts = root
  data = root@self.test, one@sink.test
  repeat_use = false
selfhere:
  driver = accept
  domains = self.test
  transport = t_maildir
down:
  driver = manualroute
  domains = down.test
  route_list = * 127.0.0.1::1:127.0.0.2::1
  self = send
  transport = t_smtp
half:
  driver = manualroute
  domains = half.test
  route_list = * 127.0.0.2::1:127.0.0.1
  self = send
  transport = t_smtp
pair:
  driver = manualroute
  domains = pair.test
  route_list = * 127.0.0.1:127.0.0.2
  self = send
  transport = t_smtp
remote:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = t_smtp
begin transports
t_smtp:
  driver = smtp
  port = ${port}
  allow_localhost
  command_timeout = 1s
  data_timeout = 1s
  final_timeout = 1s
  ${(more.smtp ?? '').replaceAll('\n', '\n  ')}
t_maildir:
  driver = appendfile
  maildir_format
  directory = ${folder}/md
  delivery_date_add
  envelope_to_add
  return_path_add
begin retry
${more.retry ?? '* * F,2h,15m; G,16h,1h,1.5; F,4d,6h'}
`
}

async function withSink(
  script: SinkScript,
  run: (world: DeliveryWorld, sink: Sink) => Promise<void>,
  more: { smtp?: string; main?: string; retry?: string } = {},
  options: DeliveryWorldOptions = {},
): Promise<void> {
  const sink = await startSink(script)
  const world = deliveryWorld(configuration(sink.port, more), options)
  try {
    await run(world, sink)
  } finally {
    world.close()
    await sink.close()
  }
}

void test('a message reaches another host whole, dots doubled on the way', async () => {
  await withSink({}, async (world, sink) => {
    const claim = world.claim(['one@sink.test', 'two@sink.test'])
    const summary = await world.deliver(claim)
    assert.equal(summary.is, 'completed')
    assert.equal(claim.state, 'completed')
    assert.deepEqual(claim.updates, [])
    assert.equal(sink.messages.length, 1)
    assert.match(sink.messages[0]?.data ?? '', /^Received: [^]*\r\n\r\nbody line\r\n\.dot\r\n$/)
    assert.deepEqual(world.log, [
      '=> one@sink.test R=remote T=t_smtp H=127.0.0.1 [127.0.0.1] C="250 2.0.0 taken"',
      '-> two@sink.test R=remote T=t_smtp H=127.0.0.1 [127.0.0.1] C="250 2.0.0 taken"',
      'Completed',
    ])
    assert.deepEqual(
      sink.commands.map(({ line }) => line),
      [
        'EHLO mta.example',
        'MAIL FROM:<a@send.test> SIZE=1222',
        'RCPT TO:<one@sink.test>',
        'RCPT TO:<two@sink.test>',
        'DATA',
      ],
    )
  })
})

void test('a message arrives in a maildir, synced and named as it should be', async () => {
  await withSink({}, async (world) => {
    const claim = world.claim(['ok@local.test'])
    assert.equal((await world.deliver(claim)).is, 'completed')
    const names = readdirSync(join(folder, 'md', 'new'))
    assert.equal(names.length, 1)
    assert.match(names[0] ?? '', /^\d+\.M\d+P\d+\.mta\.example$/)
    const text = readFileSync(join(folder, 'md', 'new', names[0] ?? ''), 'latin1')
    assert.match(
      text,
      /^Return-path: <a@send\.test>\nEnvelope-to: ok@local\.test\nDelivery-date: .*\nReceived: [^]*\n\nbody line\n\.dot\n$/,
    )
    assert.deepEqual(readdirSync(join(folder, 'md', 'tmp')), [])
    assert.deepEqual(world.log, ['=> ok <ok@local.test> R=maildir T=t_maildir', 'Completed'])
  })
})

void test('an alias to three: one line for each, the recipient in angle brackets', async () => {
  await withSink({}, async (world) => {
    const claim = world.claim(['z@alias.test'])
    assert.equal((await world.deliver(claim)).is, 'completed')
    assert.deepEqual(world.log, [
      '=> three <z@alias.test> R=maildir T=t_maildir',
      '=> one@sink.test <z@alias.test> R=remote T=t_smtp H=127.0.0.1 [127.0.0.1] C="250 2.0.0 taken"',
      '-> two@sink.test <z@alias.test> R=remote T=t_smtp H=127.0.0.1 [127.0.0.1] C="250 2.0.0 taken"',
      'Completed',
    ])
    assert.deepEqual(claim.updates, [{ done: ['three@local.test'] }])
  })
})

const host = 'H=127.0.0.1 [127.0.0.1]'
const remote = 'R=remote T=t_smtp'
/** What a server may do, and the lines Exim 4.96 writes for it. */
const refusals: readonly {
  readonly says: string
  readonly script: SinkScript
  readonly sender?: string
  readonly log: readonly string[]
  readonly left?: 'completed' | 'released'
}[] = [
  {
    says: 'a recipient refused for good is bounced, the other delivered',
    script: { rcpt: (line) => (line.includes('x@') ? '550-5.1.1 no such\n550 5.1.1 user' : '250 ok') },
    log: [
      `** x@sink.test ${remote} ${host}: SMTP error from remote mail server after RCPT TO:<x@sink.test>: 550-5.1.1 no such\\n550 5.1.1 user`,
      `=> y@sink.test ${remote} ${host} C="250 2.0.0 taken"`,
      'Completed',
    ],
    left: 'completed',
  },
  {
    says: 'a recipient refused for now is kept, the other delivered',
    script: { rcpt: (line) => (line.includes('x@') ? '450 4.2.1 later <x>' : '250 ok') },
    log: [
      `== x@sink.test ${remote} defer (-44) ${host}: SMTP error from remote mail server after RCPT TO:<x@sink.test>: 450 4.2.1 later <x>`,
      `=> y@sink.test ${remote} ${host} C="250 2.0.0 taken"`,
    ],
  },
  {
    says: 'MAIL refused for now: an error of the message',
    script: { mail: () => '451 4.3.0 mail no' },
    log: [
      `${host}: SMTP error from remote mail server after pipelined MAIL FROM:<a@send.test> SIZE=1222: 451 4.3.0 mail no`,
      `== x@sink.test ${remote} defer (-45) ${host}: SMTP error from remote mail server after pipelined MAIL FROM:<a@send.test> SIZE=1222: 451 4.3.0 mail no`,
      `== y@sink.test ${remote} defer (-45) ${host}: SMTP error from remote mail server after pipelined MAIL FROM:<a@send.test> SIZE=1222: 451 4.3.0 mail no`,
    ],
  },
  {
    says: 'DATA refused for good',
    script: { data: '554 data never' },
    log: [
      `** x@sink.test ${remote} ${host}: SMTP error from remote mail server after pipelined DATA: 554 data never`,
      `** y@sink.test ${remote} ${host}: SMTP error from remote mail server after pipelined DATA: 554 data never`,
      'Completed',
    ],
    left: 'completed',
  },
  {
    says: 'the message refused for now at its end',
    script: { end: () => '452 4.3.1 full' },
    log: [
      `${host}: SMTP error from remote mail server after end of data: 452 4.3.1 full`,
      `== x@sink.test ${remote} defer (-46) ${host}: SMTP error from remote mail server after end of data: 452 4.3.1 full`,
      `== y@sink.test ${remote} defer (-46) ${host}: SMTP error from remote mail server after end of data: 452 4.3.1 full`,
    ],
  },
  {
    says: 'a greeting of 421',
    script: { greeting: '421 busy' },
    log: [
      `${host}: SMTP error from remote mail server after initial connection: 421 busy`,
      `== x@sink.test ${remote} defer (0) ${host}: SMTP error from remote mail server after initial connection: 421 busy`,
      `== y@sink.test ${remote} defer (0) ${host}: SMTP error from remote mail server after initial connection: 421 busy`,
    ],
  },
  {
    says: 'a greeting of 554 fails what goes there',
    script: { greeting: '554 go away' },
    log: [
      `${host}: SMTP error from remote mail server after initial connection: 554 go away`,
      `** x@sink.test ${remote} ${host}: SMTP error from remote mail server after initial connection: 554 go away`,
      `** y@sink.test ${remote} ${host}: SMTP error from remote mail server after initial connection: 554 go away`,
      'Completed',
    ],
    left: 'completed',
  },
  {
    says: 'something that is no SMTP greeting',
    script: { greeting: 'garbage here' },
    log: [
      `${host}: Malformed SMTP reply in response to initial connection: garbage here`,
      `== x@sink.test ${remote} defer (-19) ${host}: Malformed SMTP reply in response to initial connection: garbage here`,
      `== y@sink.test ${remote} defer (-19) ${host}: Malformed SMTP reply in response to initial connection: garbage here`,
    ],
  },
  {
    says: 'no greeting at all',
    script: { greeting: 'hang' },
    log: [
      `${host}: SMTP timeout after initial connection: Connection timed out`,
      `== x@sink.test ${remote} defer (110): Connection timed out ${host}: SMTP timeout after initial connection`,
      `== y@sink.test ${remote} defer (110): Connection timed out ${host}: SMTP timeout after initial connection`,
    ],
  },
  {
    says: 'EHLO and HELO refused',
    script: { ehlo: '550 ehlo no', helo: '550 helo no' },
    log: [
      `${host}: SMTP error from remote mail server after HELO mta.example: 550 helo no`,
      `** x@sink.test ${remote} ${host}: SMTP error from remote mail server after HELO mta.example: 550 helo no`,
      `** y@sink.test ${remote} ${host}: SMTP error from remote mail server after HELO mta.example: 550 helo no`,
      'Completed',
    ],
    left: 'completed',
  },
  {
    says: 'the connection dropped at RCPT',
    script: { rcpt: () => 'drop' },
    log: [
      `${host}: Remote host closed connection in response to pipelined RCPT TO:<x@sink.test>`,
      `== x@sink.test ${remote} defer (-18) ${host}: Remote host closed connection in response to pipelined RCPT TO:<x@sink.test>`,
      `== y@sink.test ${remote} defer (-18) ${host}: Remote host closed connection in response to pipelined RCPT TO:<x@sink.test>`,
    ],
  },
  {
    says: '421 to every RCPT, then the end: the recipients wait, not the host',
    script: { rcpt: () => '421 closing', data: 'drop' },
    log: [
      `== x@sink.test ${remote} defer (-44) ${host}: SMTP error from remote mail server after RCPT TO:<x@sink.test>: 421 closing`,
      `== y@sink.test ${remote} defer (-44) ${host}: SMTP error from remote mail server after RCPT TO:<y@sink.test>: 421 closing`,
    ],
  },
  {
    says: 'no answer to RCPT: the recipients wait, not the host',
    script: { rcpt: () => 'hang' },
    log: [
      `== x@sink.test ${remote} defer (110): Connection timed out ${host}: SMTP timeout after RCPT TO:<x@sink.test>`,
      `== y@sink.test ${remote} defer (110): Connection timed out ${host}: SMTP timeout after RCPT TO:<x@sink.test>`,
    ],
  },
  {
    says: 'no answer to the final dot',
    script: { end: () => 'hang' },
    log: [
      `${host}: SMTP timeout after end of data (202 bytes written): Connection timed out`,
      `== x@sink.test ${remote} defer (110): Connection timed out ${host}: SMTP timeout after end of data (202 bytes written)`,
      `== y@sink.test ${remote} defer (110): Connection timed out ${host}: SMTP timeout after end of data (202 bytes written)`,
    ],
  },
  {
    says: 'the connection dropped after the final dot',
    script: { end: () => 'drop' },
    log: [
      `${host}: Remote host closed connection in response to end of data`,
      `== x@sink.test ${remote} defer (-18) ${host}: Remote host closed connection in response to end of data`,
      `== y@sink.test ${remote} defer (-18) ${host}: Remote host closed connection in response to end of data`,
    ],
  },
]
for (const c of refusals) {
  void test(`smtp: ${c.says}`, async () => {
    await withSink(c.script, async (world) => {
      const claim = world.claim(['x@sink.test', 'y@sink.test'])
      await world.deliver(claim)
      assert.deepEqual(world.log, c.log)
      assert.equal(claim.state, c.left ?? 'released')
    })
  })
}

void test('smtp: a server without EHLO is spoken to with HELO, one command at a time', async () => {
  await withSink({ ehlo: '502 what' }, async (world, sink) => {
    await world.deliver(world.claim(['x@sink.test']))
    assert.deepEqual(
      sink.commands.map(({ line }) => line),
      ['EHLO mta.example', 'HELO mta.example', 'MAIL FROM:<a@send.test>', 'RCPT TO:<x@sink.test>', 'DATA'],
    )
    assert.equal(sink.messages.length, 1)
  })
})

void test('smtp: BDAT where the server offers CHUNKING, whole and in chunks', async () => {
  const extensions = ['PIPELINING', 'CHUNKING']
  await withSink({ extensions }, async (world, sink) => {
    await world.deliver(world.claim(['x@sink.test']))
    const big = 'a line of some length, again and again\n.dot\n'.repeat(5000)
    await world.deliver(world.claim(['x@sink.test'], {}, big))
    assert.equal(sink.messages.length, 2)
    assert.match(sink.messages[0]?.data ?? '', /\r\n\r\nbody line\r\n\.dot\r\n$/)
    assert.equal((sink.messages[1]?.data ?? '').split('\r\n\r\n')[1], big.replaceAll('\n', '\r\n'))
    assert.match(sink.commands.map(({ line }) => line).join('\n'), /BDAT \d+\nBDAT \d+\n/)
  })
})

void test('smtp: a big message is streamed, dots doubled across pieces', async () => {
  await withSink({}, async (world, sink) => {
    const big = `${'.'.repeat(70)}\n`.repeat(4000)
    await world.deliver(world.claim(['x@sink.test'], {}, big))
    assert.equal((sink.messages[0]?.data ?? '').split('\r\n\r\n')[1], big.replaceAll('\n', '\r\n'))
  })
})

void test('smtp: nothing bare passes on: CR and LF alone become line ends', async () => {
  await withSink({}, async (world, sink) => {
    await world.deliver(world.claim(['x@sink.test'], {}, 'one\rtwo\r\nthree\n\r.\n.\r.\rend'))
    assert.equal(
      (sink.messages[0]?.data ?? '').split('\r\n\r\n').slice(1).join('\r\n\r\n'),
      'one\r\ntwo\r\nthree\r\n\r\n.\r\n.\r\n.\r\nend\r\n',
    )
  })
})

void test('smtp: the next message goes down the same connection', async () => {
  await withSink({}, async (world, sink) => {
    await world.deliver(world.claim(['x@sink.test']))
    await world.deliver(world.claim(['y@sink.test']))
    assert.equal(sink.connections, 1)
    assert.match(world.log.at(-2) ?? '', /^=> y@sink\.test .* H=127\.0\.0\.1 \[127\.0\.0\.1\]\* C=/)
  })
})

void test('smtp: where the host ends a kept connection with 421, the message goes over a new one', async () => {
  for (const extensions of [['PIPELINING'], []]) {
    let mails = 0
    const mail = (): string => (++mails === 2 ? '421 idle for too long' : '250 ok')
    await withSink({ extensions, mail }, async (world, sink) => {
      await world.deliver(world.claim(['x@sink.test']))
      await world.deliver(world.claim(['y@sink.test']))
      assert.match(world.log.join('\n'), /^=> y@sink\.test /m)
      assert.equal(sink.messages.length, 2)
      assert.equal(sink.connections, 2)
    })
  }
})

void test('smtp: connection_max_messages = 1 takes a connection for each', async () => {
  const more = { smtp: 'connection_max_messages = 1' }
  await withSink(
    {},
    async (world, sink) => {
      await world.deliver(world.claim(['x@sink.test']))
      await world.deliver(world.claim(['y@sink.test']))
      assert.equal(sink.connections, 2)
    },
    more,
  )
})

void test('smtp: a host that is down is passed over for the next', async () => {
  await withSink({}, async (world, sink) => {
    await world.deliver(world.claim(['x@half.test']))
    assert.equal(sink.messages.length, 1, world.log.join('\n'))
    assert.match(world.log[0] ?? '', /^H=127\.0\.0\.2 \[127\.0\.0\.2\] Connection refused$/)
    assert.match(world.log[1] ?? '', /^=> x@half\.test R=half T=t_smtp H=/)
  })
})

void test('smtp: all hosts down: deferred, then not tried before the retry time', async () => {
  await withSink({}, async (world) => {
    const claim = world.claim(['x@down.test'])
    const summary = await world.deliver(claim)
    assert.deepEqual(world.log, [
      `${host} Connection refused`,
      'H=127.0.0.2 [127.0.0.2] Connection refused',
      '== x@down.test R=down T=t_smtp defer (111): Connection refused',
    ])
    assert.equal(summary.is, 'kept')
    world.log.length = 0
    await world.deliver(claim, { queueRun: true })
    assert.deepEqual(world.log, [
      "== x@down.test R=down T=t_smtp defer (-54): retry time not reached for any host for 'down.test'",
    ])
    world.log.length = 0
    world.pass(901)
    await world.deliver(claim, { queueRun: true })
    assert.equal(world.log.length, 3)
  })
})

void test('retry: past the last rule the address fails and is bounced', async () => {
  await withSink(
    {},
    async (world) => {
      const claim = world.claim(['x@down.test'])
      await world.deliver(claim)
      world.pass(3600)
      world.log.length = 0
      const summary = await world.deliver(claim)
      assert.deepEqual(world.log, [
        `${host} Connection refused`,
        'H=127.0.0.2 [127.0.0.2] Connection refused',
        '== x@down.test R=down T=t_smtp defer (111): Connection refused',
        '** x@down.test: retry timeout exceeded',
        'Completed',
      ])
      assert.equal(summary.is, 'completed')
      assert.match(world.submitted[0]?.text ?? '', /  x@down\.test\n    retry timeout exceeded\n/)
    },
    { retry: '* * F,1m,10s' },
  )
})

void test('routing: failures and deferrals have their lines', async () => {
  await withSink({}, async (world) => {
    const claim = world.claim(['z@fail.test', 'z@defer.test', 'z@hole.test'])
    await world.deliver(claim)
    assert.deepEqual(world.log.toSorted(), [
      '** z@fail.test R=fail: no such thing here',
      '== z@defer.test R=defer defer (-1): come back later',
      '=> :blackhole: <z@hole.test> R=hole',
    ])
    assert.deepEqual(claim.envelope.done.toSorted(), ['\\1\\z@hole.test', 'z@fail.test', 'z@hole.test'])
    world.log.length = 0
    await world.deliver(claim, { queueRun: true })
    assert.deepEqual(world.log, ['== z@defer.test routing defer (-52): retry time not reached'])
  })
})

void test('a bounce is laid out as Exim lays it out', async () => {
  await withSink(
    { rcpt: (line) => (line.includes('x@') ? '550-5.1.1 no such\n550 5.1.1 user' : '250 ok') },
    async (world) => {
      await world.deliver(world.claim(['x@sink.test']))
      const bounce = world.submitted[0]
      assert.equal(bounce?.sender, '')
      assert.deepEqual(bounce?.recipients, ['a@send.test'])
      const boundary = /boundary=(\d+-eximdsn-\d+)/.exec(bounce?.text ?? '')?.[1] ?? ''
      assert.equal(
        bounce?.text.replaceAll(boundary, 'BOUNDARY'),
        readFileSync(join(repository, 'test', 'testdata', 'bounce.txt'), 'latin1'),
      )
    },
  )
})

void test('no bounce goes to a null sender: the message is frozen', async () => {
  await withSink({ rcpt: () => '550 no' }, async (world) => {
    const claim = world.claim(['x@sink.test'], { sender: '' })
    const summary = await world.deliver(claim)
    assert.equal(summary.is, 'frozen')
    assert.equal(world.submitted.length, 0)
    assert.equal(world.log.at(-1), 'Frozen (delivery error message)')
    assert.notEqual(claim.envelope.frozenAt, undefined)
    world.log.length = 0
    assert.equal((await world.deliver(claim)).is, 'skipped')
    assert.deepEqual(world.log, ['Message is frozen'])
  })
})

void test('a frozen message whose time is over ends, though a delivery is forced', async () => {
  await withSink(
    {},
    async (world, sink) => {
      const claim = world.claim(['x@sink.test'], {
        frozenAt: Date.now() - 1000,
        receivedAt: Date.now() - 7_200_000,
      })
      assert.equal((await world.deliver(claim, { queueRun: true, force: true, thaw: true })).is, 'completed')
      assert.equal(world.log[0], 'cancelled by timeout_frozen_after')
      assert.equal(sink.messages.length, 0)
    },
    { main: 'timeout_frozen_after = 1h' },
  )
})

void test('all selectors: every field in its place', async () => {
  const selectors = [
    'sender_on_delivery',
    'return_path_on_delivery',
    'delivery_size',
    'outgoing_port',
    'incoming_interface',
    'outgoing_interface',
    'pipelining',
    'queue_time',
    'queue_time_overall',
    'deliver_time',
    'millisec',
  ]
  await withSink(
    {},
    async (world, sink) => {
      await world.deliver(world.claim(['x@sink.test']))
      assert.match(
        world.log[0] ?? '',
        new RegExp(
          `^=> x@sink\\.test F=<a@send\\.test> P=<a@send\\.test> R=remote T=t_smtp S=202 H=127\\.0\\.0\\.1 \\[127\\.0\\.0\\.1\\]:${sink.port} I=\\[127\\.0\\.0\\.1\\]:\\d+ L C="250 2\\.0\\.0 taken" QT=0\\.\\d{3}s DT=0\\.\\d{3}s$`,
        ),
      )
      assert.match(world.log[1] ?? '', /^Completed QT=0\.\d{3}s$/)
    },
    {},
    { selectors },
  )
})

void test('a redirection to itself and another: the one delivered is not delivered again', async () => {
  let refuse = true
  await withSink({ rcpt: () => (refuse ? '450 later' : '250 ok') }, async (world, sink) => {
    const claim = world.claim(['root@self.test'])
    assert.equal((await world.deliver(claim)).is, 'kept')
    assert.deepEqual(claim.envelope.done, ['\\0\\root@self.test'])
    const before = readdirSync(join(folder, 'md', 'new')).length
    refuse = false
    assert.equal((await world.deliver(claim)).is, 'completed')
    assert.equal(readdirSync(join(folder, 'md', 'new')).length, before)
    assert.equal(sink.messages.length, 1)
  })
})

const waiting: readonly { to: readonly string[]; left?: readonly string[]; members?: readonly string[] }[] = [
  { to: ['a@same.test', 'one@sink.test'] },
  { to: ['one@sink.test', 'a@same.test'] },
  { to: ['a@same.test', 'b@same.test'] },
  { to: ['a@alias.test', 'b@same.test', 'one@sink.test'], members: ['one', 'two'] },
  { to: ['n@nested.test'], left: ['n@nested.test', 'one@sink.test'], members: ['one', 'two'] },
  { to: ['l@once.test'], left: ['l@once.test', 'one@sink.test'], members: ['one', 'two'] },
  {
    to: ['l@once.test', 'one@sink.test'],
    left: ['l@once.test', 'one@sink.test'],
    members: ['one', 'two'],
  },
  {
    to: ['m@once.test', 'l@once.test'],
    left: ['m@once.test', 'l@once.test', 'one@sink.test'],
    members: ['one', 'two'],
  },
  { to: ['one@onceself.test'], left: ['one@onceself.test'], members: ['one', 'two'] },
]
for (const { to, left = to, members = ['one'] } of waiting)
  void test(`an address that waits and was come to from ${to.join(' and ')} is delivered once, and not forgotten`, async () => {
    let refuse = true
    const rcpt = (line: string): string => (refuse && line.includes('<one@') ? '450 later' : '250 ok')
    await withSink({ rcpt }, async (world, sink) => {
      const claim = world.claim(to)
      assert.equal((await world.deliver(claim)).is, 'kept')
      assert.deepEqual(
        claim.envelope.recipients.map(({ address }) => address),
        left,
      )
      assert.equal((await world.deliver(claim)).is, 'kept')
      refuse = false
      assert.equal((await world.deliver(claim)).is, 'completed')
      const got = sink.messages.flatMap(({ rcpts }) => rcpts.map((line) => /<(\w+)@/.exec(line)?.[1] ?? ''))
      assert.deepEqual(
        got.toSorted((one, other) => (one < other ? -1 : 1)),
        members,
        world.log.join('\n'),
      )
    })
  })

void test('headers are removed and added as the transport says', async () => {
  await withSink(
    {},
    async (world, sink) => {
      await world.deliver(world.claim(['x@sink.test']))
      const [head = ''] = (sink.messages[0]?.data ?? '').split('\r\n\r\n')
      assert.doesNotMatch(head, /^(Subject|Message-Id):/m)
      assert.match(head, /\r\nX-One: 1\r\nX-Two: hi$/)
      assert.match(sink.commands[1]?.line ?? '', /^MAIL FROM:<other@mta\.example> /)
    },
    {
      smtp: 'headers_remove = subject:message-*\nheaders_add = X-One: 1\\nX-Two: hi\nreturn_path = other@mta.example',
    },
  )
})

void test('events are raised at each point', async () => {
  const raised: string[] = []
  await withSink(
    { rcpt: (line) => (line.includes('x@') ? '450 later' : '250 ok') },
    async (world) => {
      await world.deliver(world.claim(['x@sink.test', 'y@sink.test']))
      assert.deepEqual(raised, [
        'tcp:connect ',
        'smtp:connect 220 sink ESMTP',
        'smtp:ehlo 250-sink',
        'msg:rcpt:host:defer SMTP error from remote mail server after RCPT TO:<x@sink.test>: 450 later',
        'msg:rcpt:defer SMTP error from remote mail server after RCPT TO:<x@sink.test>: 450 later',
        'msg:delivery 250 2.0.0 taken',
      ])
    },
    { smtp: 'event_action = x' },
    {
      onRaise: (event, data) => {
        raised.push(`${event} ${data.split('\n')[0] ?? ''}`)
        return ''
      },
    },
  )
})

void test('tcp:connect may refuse', async () => {
  await withSink(
    {},
    async (world, sink) => {
      await world.deliver(world.claim(['x@sink.test']))
      assert.equal(sink.connections, 0)
      assert.match(world.log[0] ?? '', /^H=127\.0\.0\.1 \[127\.0\.0\.1\] Event requests alternate response$/)
      assert.match(world.log[1] ?? '', /^== x@sink\.test .* defer \(-58\)/)
    },
    { smtp: 'event_action = x' },
    { onRaise: (event) => (event === 'tcp:connect' ? 'not today' : '') },
  )
})

void test('a deferred message knows when it is worth trying again', async () => {
  await withSink({}, async (world) => {
    const claim = world.claim(['x@down.test'])
    const summary = await world.deliver(claim)
    const wait = ((summary.nextAttemptAt ?? 0) - Date.now()) / 1000
    assert.ok(wait > 890 && wait < 901, String(wait))
    assert.equal(claim.updates.at(-1)?.nextAttemptAt, summary.nextAttemptAt)
  })
})

void test('a message whose last line is too long for the transport fails', async () => {
  await withSink({}, async (world) => {
    await world.deliver(world.claim(['x@sink.test'], { maxReceivedLineLength: 1200 }))
    assert.equal(world.log[0], '** x@sink.test R=remote T=t_smtp: message has lines too long for transport')
  })
})

void test('headers_rewrite changes the copy of this transport alone', async () => {
  await withSink(
    {},
    async (world, sink) => {
      const claim = world.claim(['x@sink.test'])
      await world.deliver(claim)
      assert.match(sink.messages[0]?.data ?? '', /\r\nFrom: a@inside\.example\r\n/)
      assert.match(claim.envelope.headers.map(({ text }) => text).join(''), /^From: a@send\.test$/m)
    },
    { smtp: 'headers_rewrite = *@send.test $1@inside.example fh' },
  )
})

void test('smtp: a message that cannot be read to its end breaks the connection off, and is tried again', async () => {
  for (const extensions of [['PIPELINING'], ['CHUNKING']]) {
    await withSink({ extensions }, async (world, sink) => {
      const claim = world.claim(['one@sink.test'], {}, 'x\n'.repeat(100_000))
      const { body } = claim.message
      claim.message.body = async function* (start = 0) {
        if (start > 0) return yield* body(start)
        yield Buffer.alloc(100_000, 'x\n')
        throw new Error('the disk is gone')
      }
      await world.deliver(claim)
      assert.match(world.log.join('\n'), /defer .*internal error in t_smtp transport/)
      assert.equal(sink.messages.length, 0)
      claim.message.body = body
      await new Promise((resolve) => setTimeout(resolve, 200))
      await world.deliver(claim, { force: true })
      assert.equal(sink.messages.length, 1)
      assert.equal(sink.mostOpen, 1)
    })
  }
})

void test('smtp: what stops a message on its way to the next host leaves those delivered whom the first has taken', async () => {
  const filter = join(folder, 'filter')
  writeFileSync(filter, '#!/bin/sh\ncase $1 in *2) exit 1;; esac\nexec cat\n', { mode: 0o755 })
  await withSink(
    { rcpt: (line) => (line.includes('two@') ? '450 later' : '250 ok') },
    async (world, sink) => {
      const claim = world.claim(['one@pair.test', 'two@pair.test'])
      await world.deliver(claim)
      assert.match(world.log.join('\n'), /^=> one@pair\.test /m)
      assert.match(world.log.join('\n'), /^== two@pair\.test .*transport filter process failed/m)
      assert.deepEqual(claim.envelope.done, ['one@pair.test'])
      await world.deliver(claim, { force: true })
      assert.equal(sink.messages.length, 1)
    },
    { smtp: `transport_filter = ${filter} $host_address` },
  )
})

void test('smtp: a message that cannot be read again leaves those delivered whom the host has taken', async () => {
  let took = 0
  await withSink(
    {
      rcpt: (line) => (line.includes('two@') && took === 0 ? '452 too many' : '250 ok'),
      end: () => `250 ${++took}`,
    },
    async (world, sink) => {
      const claim = world.claim(['one@sink.test', 'two@sink.test'], {}, 'x\n'.repeat(100_000))
      const { body } = claim.message
      claim.message.body = async function* (start = 0) {
        if (took > 0) throw new Error('the disk is gone')
        yield* body(start)
      }
      await world.deliver(claim)
      assert.match(world.log.join('\n'), /^== two@sink\.test .*internal error in t_smtp transport/m)
      assert.deepEqual(claim.envelope.done, ['one@sink.test'])
      assert.equal(sink.messages.length, 1)
    },
  )
})

void test('smtp: a host that says 250 to DATA gets no message', async () => {
  for (const extensions of [['PIPELINING'], []]) {
    await withSink({ extensions, data: '250 what' }, async (world, sink) => {
      const claim = world.claim(['x@sink.test'])
      await world.deliver(claim)
      // Observed of Exim 4.96.
      const error = `SMTP error from remote mail server after ${extensions.length > 0 ? 'pipelined ' : ''}DATA: 250 what`
      assert.equal(world.log[0], `${host}: ${error}`)
      assert.match(world.log[1] ?? '', /^== x@sink\.test R=remote T=t_smtp defer \(0\) H=.* DATA: 250 what$/)
      assert.ok(!sink.commands.some(({ line }) => line === 'body line'))
    })
  }
})

void test('smtp: faults of ours while connections are opened leave room for others', async () => {
  let faults = 0
  await withSink(
    {},
    async (world, sink) => {
      // More than may be open to one host.
      for (let i = 0; i < 41; i++) await world.deliver(world.claim([`u${i}@sink.test`]))
      assert.equal(sink.messages.length, 1)
    },
    { smtp: 'event_action = x' },
    {
      onRaise: (event) => {
        if (event === 'tcp:connect' && ++faults <= 40) throw new Error('a fault')
        return ''
      },
    },
  )
})
