/** Callouts and cut-through delivery of a started server, against a second server that answers as it is told. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type StartedServer, startServer, temporaryFolder, until } from './support/server.ts'
import { connectSmtp, type SmtpClient } from './support/smtp-client.ts'
import { type Sink, startSink } from './support/smtp-sink.ts'

const folder = temporaryFolder('callout')
let server: StartedServer
let sink: Sink

/** ACLs for RCPT, chosen by the name the client gives with EHLO. */
const acls = {
  plain: 'require verify = recipient/callout=10s',
  sender: 'require verify = sender/callout=10s',
  quiet: 'require verify = sender/callout=10s/no_details',
  random: 'require verify = recipient/callout=10s,random\n  logwrite = failure=$recipient_verify_failure',
  postmaster: 'require verify = recipient/callout=10s,postmaster',
  full: 'require verify = recipient/callout=10s,fullpostmaster',
  pmfrom: 'require verify = recipient/callout=10s,postmaster_mailfrom=q@z.example',
  usesender: 'require verify = recipient/callout=10s,use_sender',
  usepm: 'require verify = recipient/callout=10s,use_postmaster',
  nocache: 'require verify = recipient/callout=10s,no_cache',
  deferok: 'require verify = recipient/callout=10s,defer_ok',
  short: 'require verify = recipient/callout=1s',
  hold: 'require verify = recipient/callout=10s,use_sender,no_cache,hold',
  failure: 'deny !verify = recipient/callout=10s\n  message = where=$recipient_verify_failure',
  cut: 'warn control = cutthrough_delivery',
  pass: 'warn control = cutthrough_delivery/defer=pass',
} as const

function configuration(port: number): string {
  const texts = Object.entries(acls).map(([name, text]) => `acl_${name}:\n  ${text}\n  accept\n`)
  return `primary_hostname = mx.test.example
qualify_domain = test.example
host_lookup =
tls_advertise_hosts =
helo_lookup_domains =
queue_only
log_selector = +all -pid -arguments -millisec
acl_smtp_rcpt = acl_\${lc:$sender_helo_name}
acl_smtp_data = acl_data
begin acl
${texts.join('')}
acl_told:
  accept logwrite = told $event_name of $local_part@$domain at $transport_name: $event_data
acl_event:
  accept logwrite = EV $event_name <\${sg{$event_data}{\\\\n.*}{}}> $transport_name \${if eq{$host_address}{}{}{$host_address}} $local_part $verify_mode
acl_data:
  accept condition = \${if def:h_from:{no}{yes}}
  require verify = header_sender/callout=10s,mailfrom=check@test.example
  accept
begin routers
far:
  driver = manualroute
  domains = *.far.example
  route_list = * 127.0.0.1
  self = send
  transport = out
events:
  driver = manualroute
  domains = *.events.example
  route_list = * 127.0.0.1
  self = send
  transport = events
gone:
  driver = manualroute
  domains = gone.example
  route_list = * 127.0.0.1
  self = send
  transport = nowhere
local:
  driver = accept
  domains = local.example
  transport = null
begin transports
out:
  driver = smtp
  port = ${port}
  allow_localhost
  event_action = \${if eq{$event_name}{msg:delivery}{\${acl{acl_told}}}}
events:
  driver = smtp
  port = ${port}
  interface = \${if match{$local_part}{here}{127.0.0.9}}
  allow_localhost
  event_action = \${acl{acl_event}}\${if and{{eq{$event_name}{tcp:connect}}{eq{$local_part}{good-notcp}}}{no tcp}}\${if and{{eq{$event_name}{smtp:connect}}{eq{$local_part}{good-nosmtp}}}{go away}}
nowhere:
  driver = smtp
  port = 1
  allow_localhost
null:
  driver = appendfile
  file = ${folder.path}/mail
  user = nobody
`
}

before(async () => {
  sink = await startSink({
    mail: (line) => (/from:<bad@|<nobounce>/i.test(line) ? '550 5.1.0 bad sender' : '250 ok'),
    rcpt(line) {
      const [, localPart = '', domain = ''] = /<([^@>]*)@?([^>]*)>/.exec(line) ?? []
      if (domain.startsWith('all.') || localPart.startsWith('good')) return '250 ok'
      if (localPart === 'later') return '450 rcpt later'
      if (localPart === 'drop') return 'drop'
      if (localPart === 'hang') return 'hang'
      if (localPart !== 'postmaster') return `550-line one\n550 no such user ${localPart}`
      if (domain.startsWith('nopm.')) return '550 no postmaster'
      return domain === '' || !domain.startsWith('barepm.') ? '250 ok' : '550 only the bare one'
    },
    end: ({ data }) =>
      data.includes('REJECT')
        ? '550 content'
        : data.includes('DEFER')
          ? '451 data later'
          : '250 taken id=xyz',
  })
  server = await startServer({ configuration: configuration(sink.port), folder: folder.path, arguments: [] })
})
after(async () => {
  await server?.stop()
  await sink?.close()
  folder.remove()
})

interface Row {
  readonly says: string
  readonly acl: keyof typeof acls
  readonly from?: string
  /** Recipients with the lines they are answered. */
  readonly rcpt: readonly (readonly [string, readonly string[]])[]
  /** What the second server hears, connections apart. */
  readonly heard?: readonly (readonly string[])[]
  readonly logged?: readonly RegExp[]
}

const ok = ['Accepted']
const no = ['Callout verification failed:', '550-line one', '550 no such user bad']
const cached = ['Previous (cached) callout verification failure']
const incomplete = ['Could not complete recipient verify callout']
const one = (address: string, from = ''): string[] => [`MAIL FROM:<${from}>`, `RCPT TO:<${address}>`]

const rows: readonly Row[] = [
  {
    says: 'an address that is taken, and one that is not; both answers are remembered',
    acl: 'plain',
    rcpt: [
      ['good@a.far.example', ok],
      ['bad@a.far.example', no],
      ['good@a.far.example', ok],
      ['bad@a.far.example', cached],
    ],
    heard: [one('good@a.far.example'), one('bad@a.far.example')],
    logged: [
      /rejected RCPT <bad@a\.far\.example>: 127\.0\.0\.1 \[127\.0\.0\.1\] : SMTP error from remote mail server after RCPT TO:<bad@a\.far\.example>: 550-line one\\n550 no such user bad\n/,
      /rejected RCPT <bad@a\.far\.example>: Previous \(cached\) callout verification failure\n/,
    ],
  },
  {
    says: 'a temporary answer, a lost connection and a refused one defer',
    acl: 'plain',
    rcpt: [
      ['later@b.far.example', incomplete],
      ['drop@b.far.example', incomplete],
      ['x@gone.example', incomplete],
    ],
    logged: [
      /temporarily rejected RCPT <later@b\.far\.example>: Could not complete recipient verify callout: 127\.0\.0\.1 \[127\.0\.0\.1\] : SMTP error from remote mail server after RCPT TO:<later@b\.far\.example>: 450 rcpt later\n/,
      /response to "RCPT TO:<drop@b\.far\.example>" was: connection dropped\n/,
      /\[127\.0\.0\.1\] : Connection refused\n/,
    ],
  },
  {
    says: 'defer_ok lets a temporary answer pass',
    acl: 'deferok',
    rcpt: [
      ['later@c.far.example', ok],
      ['bad@c.far.example', no],
    ],
  },
  {
    says: 'a server that says nothing is given up after the time told',
    acl: 'short',
    rcpt: [['hang@d.far.example', incomplete]],
    logged: [/: SMTP timeout after RCPT TO:<hang@d\.far\.example>/],
  },
  {
    says: 'random: a host that checks is asked for the address too, and only once whether it checks',
    acl: 'random',
    rcpt: [
      ['good@e.far.example', ok],
      ['bad@e.far.example', no],
    ],
    heard: [[...one('RANDOM@e.far.example'), 'RSET', ...one('good@e.far.example')], one('bad@e.far.example')],
  },
  {
    says: 'random: a host that takes everything is not asked again',
    acl: 'random',
    rcpt: [
      ['bad@all.f.far.example', ok],
      ['worse@all.f.far.example', ok],
    ],
    heard: [one('RANDOM@all.f.far.example')],
    logged: [/failure=random\n/],
  },
  {
    says: 'postmaster is asked for as well',
    acl: 'postmaster',
    rcpt: [
      ['good@g.far.example', ok],
      ['good2@g.far.example', ok],
    ],
    heard: [
      [...one('good@g.far.example'), 'RSET', ...one('postmaster@g.far.example')],
      one('good2@g.far.example'),
    ],
  },
  {
    says: 'a domain without postmaster is refused, and that is remembered',
    acl: 'postmaster',
    rcpt: [
      ['good@nopm.h.far.example', ['Callout verification failed:', '550 no postmaster']],
      ['good2@nopm.h.far.example', ['(result of earlier verification reused).']],
    ],
    heard: [[...one('good@nopm.h.far.example'), 'RSET', ...one('postmaster@nopm.h.far.example')]],
  },
  {
    says: 'fullpostmaster: postmaster without a domain will do',
    acl: 'full',
    rcpt: [['good@barepm.i.far.example', ok]],
    heard: [
      [
        ...one('good@barepm.i.far.example'),
        'RSET',
        ...one('postmaster@barepm.i.far.example'),
        'RCPT TO:<postmaster>',
      ],
    ],
  },
  {
    says: 'postmaster_mailfrom names the sender of the postmaster check',
    acl: 'pmfrom',
    rcpt: [['good@j.far.example', ok]],
    heard: [[...one('good@j.far.example'), 'RSET', ...one('postmaster@j.far.example', 'q@z.example')]],
  },
  {
    says: 'use_sender: a refused sender is remembered for no other',
    acl: 'usesender',
    from: 'bad@b.example',
    rcpt: [
      ['good@k.far.example', ['Callout verification failed:', '550 5.1.0 bad sender']],
      ['good@k.far.example', ['Callout verification failed:', '550 5.1.0 bad sender']],
    ],
    heard: [one('good@k.far.example', 'bad@b.example'), one('good@k.far.example', 'bad@b.example')],
  },
  {
    says: 'use_postmaster asks in the name of our postmaster',
    acl: 'usepm',
    rcpt: [['good@l.far.example', ok]],
    heard: [one('good@l.far.example', 'postmaster@test.example')],
  },
  {
    says: 'no_cache asks each time',
    acl: 'nocache',
    rcpt: [
      ['good@m.far.example', ok],
      ['good@m.far.example', ok],
    ],
    heard: [one('good@m.far.example'), one('good@m.far.example')],
  },
  {
    says: 'hold asks for all recipients over one connection',
    acl: 'hold',
    rcpt: [
      ['good@n.far.example', ok],
      ['bad@n.far.example', no],
      ['good2@n.far.example', ok],
    ],
    heard: [
      [
        ...one('good@n.far.example', 'a@b.example'),
        'RCPT TO:<bad@n.far.example>',
        'RCPT TO:<good2@n.far.example>',
      ],
    ],
  },
  {
    says: 'a local address is not called out for',
    acl: 'plain',
    rcpt: [['u@local.example', ok]],
    heard: [],
  },
  {
    says: 'a sender that does not exist: the details stand before the refusal',
    acl: 'sender',
    from: 'bad@o.far.example',
    rcpt: [
      [
        'u@local.example',
        [
          'Verification failed for <bad@o.far.example>',
          'Called:   127.0.0.1',
          'Sent:     RCPT TO:<bad@o.far.example>',
          'Response: 550-line one',
          '550 no such user bad',
          'Sender verify failed',
        ],
      ],
      ['v@local.example', ['Verification failed for <bad@o.far.example>', ...cached, 'Sender verify failed']],
    ],
    logged: [
      / sender verify fail for <bad@o\.far\.example>: 127\.0\.0\.1 \[127\.0\.0\.1\] : SMTP error from remote mail server after RCPT TO:<bad@o\.far\.example>: 550-line one\\n550 no such user bad\n/,
      / F=<bad@o\.far\.example> rejected RCPT <u@local\.example>: Sender verify failed\n/,
    ],
  },
  {
    says: 'no_details keeps them back',
    acl: 'quiet',
    from: 'bad@p.far.example',
    rcpt: [['u@local.example', ['Sender verify failed']]],
  },
  {
    says: 'a sender that cannot be routed',
    acl: 'sender',
    from: 'x@nowhere.example',
    rcpt: [
      [
        'u@local.example',
        ['Verification failed for <x@nowhere.example>', 'Unrouteable address', 'Sender verify failed'],
      ],
    ],
    logged: [/ sender verify fail for <x@nowhere\.example>: Unrouteable address\n/],
  },
  {
    says: 'a sender whose server cannot tell now',
    acl: 'sender',
    from: 'later@q.far.example',
    rcpt: [['u@local.example', ['Could not complete sender verify callout']]],
    logged: [/ sender verify defer for <later@q\.far\.example>: Could not complete sender verify callout: /],
  },
  {
    says: '$recipient_verify_failure tells where it failed',
    acl: 'failure',
    rcpt: [
      ['bad@r.far.example', ['where=recipient']],
      ['x@nowhere.example', ['where=route']],
    ],
  },
]

for (const row of rows) {
  void test(`callout: ${row.says}`, async () => {
    const from = sink.commands.length
    const client = await begin(row.acl, row.from ?? 'a@b.example')
    for (const [address, lines] of row.rcpt) {
      assert.deepEqual((await client.say(`RCPT TO:<${address}>`)).lines, lines, address)
    }
    await client.say('QUIT')
    client.end()
    for (const pattern of row.logged ?? []) await server.logged(pattern)
    if (row.heard !== undefined) assert.deepEqual(heardSince(from), row.heard)
  })
}

function heardSince(from: number): string[][] {
  const heard = new Map<number, string[]>()
  for (const { connection, line } of sink.commands.slice(from)) {
    const lines = heard.get(connection) ?? []
    heard.set(connection, lines)
    if (!/^(?:EHLO|QUIT)/.test(line)) lines.push(line.replace(/<[^@>]*-testing@/, '<RANDOM@'))
  }
  // The QUIT of a connection of the test before may come late.
  return [...heard.values()].filter((lines) => lines.length > 0)
}

async function begin(helo: string, from: string): Promise<SmtpClient> {
  const client = await connectSmtp(server.port)
  await client.say(`EHLO ${helo}`)
  await client.say(`MAIL FROM:<${from}>`)
  return client
}

async function send(client: SmtpClient, text: string): Promise<string> {
  await client.say('DATA')
  return (await client.say(`Subject: x\r\n\r\n${text}\r\n.`)).raw
}

void test('cut-through: the message is handed on before the client is answered, and nothing is queued', async () => {
  const client = await begin('cut', 'a@b.example')
  await client.say('RCPT TO:<good@s.far.example>')
  await client.say('RCPT TO:<good2@s.far.example>')
  const before = sink.messages.length
  assert.match(await send(client, 'hello\r\n..dot'), /^250 OK id=/)
  assert.equal(sink.messages.length, before + 1)
  const got = sink.messages[before]
  assert.match(got?.data ?? '', /^Received: [^]*\r\nSubject: x\r\n\r\nhello\r\n\.dot\r\n$/)
  assert.equal(got?.rcpts.length, 2)
  await server.logged(
    /(\S+) >> good@s\.far\.example F=<a@b\.example> R=far T=out S=\d+ H=127\.0\.0\.1 \[127\.0\.0\.1\]:\d+ I=\S+ C="250 taken id=xyz" QT=\ds DT=\ds\n\S+ \S+ \1 >> good2@[^\n]*\n(?:\S+ \S+ \1 told [^\n]*\n)*\S+ \S+ \1 <= a@b\.example [^\n]*\n\S+ \S+ \1 Completed\n/,
  )
  assert.equal(server.command('-bpc').stdout.trim(), '0')
  await server.logged(/ told msg:delivery of good@s\.far\.example at out: 250 taken id=xyz\n/)
  await server.logged(/ told msg:delivery of good2@s\.far\.example at out: 250 taken id=xyz\n/)
  client.end()
})

void test('cut-through: a message that the next host refuses is refused, and no bounce is made', async () => {
  const client = await begin('cut', 'a@b.example')
  await client.say('RCPT TO:<good@t.far.example>')
  assert.equal(await send(client, 'REJECT'), '550 content\r\n')
  await server.logged(
    / good@t\.far\.example F=<a@b\.example> rejected after DATA: R=far T=out [^\n]* C="550 content" /,
  )
  assert.equal(server.command('-bpc').stdout.trim(), '0')
  client.end()
})

void test('cut-through: a recipient that the next host refuses is refused', async () => {
  const client = await begin('cut', 'a@b.example')
  assert.match((await client.say('RCPT TO:<bad@u.far.example>')).raw, /^550[^]*no such user bad/)
  client.end()
})

void test('cut-through: a temporary refusal is handed back with defer=pass', async () => {
  const client = await begin('pass', 'a@b.example')
  await client.say('RCPT TO:<good@v.far.example>')
  assert.equal(await send(client, 'DEFER'), '451 data later\r\n')
  assert.equal(server.command('-bpc').stdout.trim(), '0')
  client.end()
})

void test('cut-through: a message that cannot be handed on whole is queued as usual', async () => {
  const client = await begin('cut', 'a@b.example')
  await client.say('RCPT TO:<good@w.far.example>')
  await client.say('RCPT TO:<u@local.example>')
  const before = sink.messages.length
  assert.match(await send(client, 'both'), /^250 OK id=/)
  assert.equal(sink.messages.length, before)
  assert.equal(server.command('-bpc').stdout.trim(), '1')
  client.end()
})

void test('cut-through: a temporary refusal queues the message', async () => {
  const client = await begin('cut', 'a@b.example')
  await client.say('RCPT TO:<good@x.far.example>')
  assert.match(await send(client, 'DEFER'), /^250 OK id=/)
  await server.logged(/ tmp-reject from cutthrough after DATA: R=far T=out [^\n]* C="451 data later" /)
  assert.equal(server.command('-bpc').stdout.trim(), '2')
  client.end()
})

void test('callout: header_sender asks in the name that mailfrom gives', async () => {
  const client = await begin('plain', 'a@b.example')
  await client.say('RCPT TO:<u@local.example>')
  const from = sink.commands.length
  await client.say('DATA')
  const reply = await client.say('From: bad@y.far.example\r\n\r\nx\r\n.')
  assert.match(reply.raw, /^550/)
  assert.deepEqual(heardSince(from), [one('bad@y.far.example', 'check@test.example')])
  client.end()
})

/** Observed of Exim 4.96, but for the router's name. */
for (const [says, acl, recipients, events] of [
  [
    'an accepted address',
    'nocache',
    ['good'],
    ['tcp:connect <>', 'smtp:connect <220', 'smtp:ehlo <250-sink>', 'tcp:close <>'],
  ],
  [
    'a refused one',
    'nocache',
    ['bad'],
    ['tcp:connect <>', 'smtp:connect <220', 'smtp:ehlo <250-sink>', 'tcp:close <>'],
  ],
  [
    'one that is dropped',
    'nocache',
    ['drop'],
    ['tcp:connect <>', 'smtp:connect <220', 'smtp:ehlo <250-sink>', 'tcp:close <>'],
  ],
  ['the connection is not wanted', 'nocache', ['good-notcp'], ['tcp:connect <>']],
  [
    'the greeting is not wanted',
    'nocache',
    ['good-nosmtp'],
    ['tcp:connect <>', 'smtp:connect <220', 'tcp:close <>'],
  ],
  [
    'a connection that is held',
    'hold',
    ['good', 'good-b'],
    ['tcp:connect <>', 'smtp:connect <220', 'smtp:ehlo <250-sink>'],
  ],
] as const) {
  void test(`events of callouts: ${says}`, async () => {
    const before = server.log().length
    const client = await begin(acl, 'a@b.example')
    for (const recipient of recipients) await client.say(`RCPT TO:<${recipient}@x.events.example>`)
    const raised = await until(() => {
      const added = server.log().slice(before)
      const lines = added.match(/EV \S+ <\S*/g) ?? []
      return lines.length >= events.length ? lines : undefined
    }, 30_000)
    assert.deepEqual(
      raised?.map((line) => line.slice(3)),
      events,
    )
    client.end()
    if (acl === 'hold') await server.logged(/EV tcp:close <> events 127\.0\.0\.1 good R/)
  })
}

void test('events of callouts: a connection that is lost while it is held is closed once', async () => {
  const before = server.log().length
  const client = await begin('hold', 'a@b.example')
  for (const name of ['good-a', 'drop', 'good-b']) await client.say(`RCPT TO:<${name}@x.events.example>`)
  client.end()
  await server.logged(/EV tcp:close <> events 127\.0\.0\.1 good-b R/)
  const added = server.log().slice(before)
  assert.equal(added.match(/EV tcp:close <> events 127\.0\.0\.1 good-a R/g)?.length, 1)
})

void test('events of callouts: a connection that is held is closed when the client goes in the middle of the message', async () => {
  const client = await begin('hold', 'a@b.example')
  await client.say('RCPT TO:<good-gone@x.events.example>')
  await client.say('DATA')
  client.end()
  await server.logged(/EV tcp:close <> events 127\.0\.0\.1 good-gone R/, 10_000)
})

void test('callouts leave by the interface of the transport', async () => {
  const client = await begin('nocache', 'a@b.example')
  const from = sink.connections
  assert.match((await client.say('RCPT TO:<good-here@x.events.example>')).raw, /^250/)
  assert.equal(sink.addresses[from], '127.0.0.9')
  client.end()
})
