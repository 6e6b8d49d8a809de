/** `postern test --record` writes sessions down, `postern replay` plays them with another configuration. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type DnsServer, startDnsServer } from './support/dns-server.ts'
import { freePort, postern, startServer, temporaryFolder } from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'
import { startSink } from './support/smtp-sink.ts'

const folder = temporaryFolder('replay')
let dns: DnsServer | undefined
before(async () => {
  dns = await startDnsServer({
    'example.org MX': [{ type: 'MX', data: { preference: 10, exchange: 'mx.example.org' } }],
    'mx.example.org A': [{ type: 'A', data: '203.0.113.9' }],
    'mx.example.org': 'nodata',
    '4.3.2.192.bl.example A': [{ type: 'A', data: '127.0.0.2' }],
    '4.3.2.192.bl.example TXT': [{ type: 'TXT', data: 'listed for the test' }],
    '9.113.0.203.in-addr.arpa PTR': [{ type: 'PTR', data: 'mx.example.org' }],
    'away.example': 'servfail',
    '1.0.0.127.bl.example A': [{ type: 'A', data: '127.0.0.2' }],
    '1.0.0.127.bl.example TXT': [{ type: 'TXT', data: 'loopback is listed' }],
  })
})
after(async () => {
  await dns?.close()
  folder.remove()
})

const configuration = `
spool_directory = ${folder.path}/spool
log_file_path = ${folder.path}/logs/%slog
primary_hostname = mail.example.net
domainlist local_domains = example.net
host_lookup = *
acl_smtp_rcpt = check_rcpt
acl_smtp_data = check_data
begin acl
check_rcpt:
  deny  dnslists = bl.example
        message = listed: $dnslist_text
  deny  condition = \${lookup{$sender_address}lsearch{${folder.path}/bad}{yes}{no}}
        message = bad sender
  require verify = sender
  accept domains = +local_domains
  accept hosts = 203.0.113.9
  deny  message = no relay
check_data:
  accept
begin routers
remote:
  driver = dnslookup
  domains = ! +local_domains
  transport = smtp
  no_more
local:
  driver = accept
  transport = discard
begin transports
smtp:
  driver = smtp
discard:
  driver = appendfile
  file = /dev/null
`

interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Not waiting synchronously: the name server lives in this process. */
function run(words: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [postern, ...words],
      { cwd: folder.path, env: { ...process.env, ...environment }, maxBuffer: 2 ** 26 },
      (error, out, err) => resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err }),
    )
  })
}

function write(name: string, text: string): string {
  const file = join(folder.path, name)
  writeFileSync(file, text, { mode: 0o644 })
  return file
}

function record(...words: string[]): Promise<Ran> {
  write('exim.conf', configuration)
  write('bad', 'evil@example.org: yes\n')
  const environment = { POSTERN_DNS: `127.0.0.1:${dns?.port ?? 0}` }
  return run(['test', '--record', '-C', join(folder.path, 'exim.conf'), ...words], environment)
}

const sessions = [
  {
    says: 'a listed client',
    words: ['--from', '192.2.3.4', '--mail', 'a@example.org', '--rcpt', 'b@example.net'],
    reply: /550 listed: listed for the test/,
  },
  {
    says: 'a sender in a file',
    words: ['--from', '203.0.113.9', '--mail', 'evil@example.org', '--rcpt', 'b@example.net'],
    reply: /550 bad sender/,
  },
  {
    says: 'a sender whose domain cannot be looked up',
    words: ['--from', '203.0.113.9', '--mail', 'a@away.example', '--rcpt', 'b@example.net'],
    reply: /451 /,
  },
  {
    says: 'a recipient elsewhere',
    words: ['--from', '198.51.100.1', '--mail', 'a@example.org', '--rcpt', 'c@example.org'],
    reply: /550 no relay/,
  },
]

for (const { says, words, reply } of sessions)
  test(`${says}: what was recorded with DNS and files passes without them`, async () => {
    const recorded = await record(...words)
    assert.equal(recorded.code, 0, recorded.err)
    assert.match(recorded.out, reply)
    const file = write('recorded.postern-test.yaml', recorded.out)
    write('bad', '')
    const ran = await run(['test', file], { POSTERN_DNS: '127.0.0.1:1' })
    assert.equal(ran.code, 0, ran.out)
    assert.match(ran.out, /1 passed of 1 tests/)
  })

test('an accepted message is recorded with the ways of its recipients', async () => {
  const message = write('m.eml', 'From: a@example.org\nSubject: Gr\u00FC\u00DFe\n\n.dot\ntext\n')
  const recorded = await record(
    '--from',
    '203.0.113.9',
    '--mail',
    'a@example.org',
    '--rcpt',
    'b@example.net',
    '--rcpt',
    'c@example.org',
    '--message',
    message,
  )
  assert.equal(recorded.code, 0, recorded.err)
  assert.match(recorded.out, /router: remote\n +transport: smtp\n[^]*mx\.example\.org \[203\.0\.113\.9\]/)
  assert.match(recorded.out, /name: mx\.example\.org/)
  const ran = await run(['test', write('accepted.postern-test.yaml', recorded.out)], {
    POSTERN_DNS: '127.0.0.1:1',
  })
  assert.equal(ran.code, 0, ran.out)
})

test('replay tells which recorded sessions another configuration decides otherwise, and where', async () => {
  const folderOfSessions = join(folder.path, 'sessions')
  mkdirSync(folderOfSessions, { recursive: true })
  const lines: string[] = []
  for (const { words } of sessions) lines.push((await record(...words, '--json')).out.trim())
  write('sessions/all.jsonl', `${lines.join('\n')}\n`)
  const yaml = await record('--from', '203.0.113.9', '--mail', 'a@example.org', '--rcpt', 'b@example.net')
  write('sessions/one.postern-test.yaml', yaml.out)
  const same = await run(['replay', folderOfSessions, '--config', join(folder.path, 'exim.conf')])
  assert.equal(same.code, 0, same.out)
  assert.match(same.out, /0 of 5 sessions differ/)

  const next = write(
    'next.conf',
    configuration
      .replace('message = no relay', 'message = relaying denied')
      .replace('  deny  dnslists = bl.example\n        message = listed: $dnslist_text\n', ''),
  )
  const changed = await run(['replay', folderOfSessions, '--config', next])
  assert.equal(changed.code, 1, changed.out)
  assert.match(changed.out, /1 of 5 sessions differs/)
  assert.match(changed.out, /RCPT TO:<b@example\.net>\n +was +550 listed: listed for the test\n/)
  const texts = await run(['replay', folderOfSessions, '--config', next, '--texts'])
  assert.match(
    texts.out,
    /was +550 no relay\n +now +550 relaying denied\n +by .*next\.conf:\d+ ACL check_rcpt: deny message = relaying denied/,
  )
  const against = await run([
    'replay',
    folderOfSessions,
    '--config',
    next,
    '--against',
    join(folder.path, 'exim.conf'),
    '--json',
  ])
  const told: { sessions: number; differing: unknown[] } = JSON.parse(against.out)
  assert.deepEqual([told.sessions, told.differing.length], [5, 1])
})

test('a question that no session has an answer to is told', async () => {
  const { out } = await record(
    '--from',
    '203.0.113.9',
    '--mail',
    'a@example.org',
    '--rcpt',
    'b@example.net',
    '--json',
  )
  const file = write('asks.jsonl', out)
  const next = write('asks.conf', configuration.replace('bl.example', 'other.example'))
  const ran = await run(['replay', file, '--config', next])
  assert.match(ran.out, /the DNS for A of 9\.113\.0\.203\.other\.example/)
})

test('of lines of JSON those that are wrong are told with their place, the others are played', async () => {
  const { out } = await record(...(sessions[0]?.words ?? []), '--json')
  const good = out.trim()
  const misspelt = good.replace('"rcpt":', '"rctp":')
  const file = write('broken.jsonl', [good, good.slice(0, -20), '', misspelt, good].join('\n'))
  const ran = await run(['replay', file, '--config', join(folder.path, 'exim.conf')])
  assert.equal(ran.code, 1, ran.out)
  assert.match(ran.out, /^cannot be played {2}\S+broken\.jsonl:2:1: this is no JSON: /m)
  assert.match(
    ran.out,
    /^cannot be played {2}\S+broken\.jsonl:4:1: a test has no "rctp"; did you mean "rcpt"\?/m,
  )
  assert.match(ran.out, /^0 of 2 sessions differ, 2 could not be played /m)
})

test('ten thousand sessions are played in far less than a minute of work', async () => {
  const { out } = await record(
    '--from',
    '203.0.113.9',
    '--mail',
    'a@example.org',
    '--rcpt',
    'b@example.net',
    '--json',
  )
  const one: Record<string, unknown> = JSON.parse(out)
  const count = 2000
  const many = Array.from({ length: count }, (_, index) =>
    JSON.stringify({ ...one, name: `session ${index}`, helo: `h${index}.example` }),
  )
  const ran = await run([
    'replay',
    write('many.jsonl', many.join('\n')),
    '--config',
    join(folder.path, 'exim.conf'),
    '--json',
  ])
  const told: { sessions: number; differing: unknown[]; cpuMilliseconds: number } = JSON.parse(ran.out)
  assert.deepEqual([told.sessions, told.differing.length], [count, 0])
  assert.ok(
    told.cpuMilliseconds < (60_000 * count) / 10_000,
    `${told.cpuMilliseconds} ms of work for ${count}`,
  )
})

test('a session that the daemon has kept becomes a test, by its trace', async () => {
  const kept = temporaryFolder('replay-kept')
  const environment = { POSTERN_DNS: `127.0.0.1:${dns?.port ?? 0}` }
  write('bad', '')
  const own = configuration.replace(/^(?:spool_directory|log_file_path).*\n/gm, '')
  const server = await startServer({
    configuration: `explain_store = 100\ntls_advertise_hosts =\n${own}`,
    folder: kept.path,
    environment,
  })
  try {
    const client = await connectSmtp(server.port)
    await client.say('EHLO client.example')
    await client.say('MAIL FROM:<a@example.org>')
    assert.match((await client.say('RCPT TO:<b@example.net>')).raw, /550 listed: loopback is listed/)
    await client.say('QUIT')
    let trace = ''
    const limit = Date.now() + 60_000
    while (trace === '' && Date.now() < limit) {
      const told = await run([
        'explain',
        '-C',
        server.configurationFile,
        '--rejected',
        '--last',
        '1',
        '--json',
      ])
      if (told.code === 0) trace = (JSON.parse(told.out) as { trace: string }[])[0]?.trace ?? ''
    }
    const recorded = await run(['test', '--record', '--trace', trace, '-C', server.configurationFile])
    assert.equal(recorded.code, 0, recorded.err)
    assert.match(recorded.out, /RCPT TO:<b@example\.net>: "?550 listed: loopback is listed/)
    const ran = await run(['test', write('kept.postern-test.yaml', recorded.out)], {
      POSTERN_DNS: '127.0.0.1:1',
    })
    assert.equal(ran.code, 0, `${ran.out}\n${recorded.out}`)
    const missing = await run(['test', '--record', '--trace', 'nosuch', '-C', server.configurationFile])
    assert.equal(missing.code, 1)
    assert.match(missing.err, /no explanation nosuch among those that are kept/)
  } finally {
    await server.stop()
    kept.remove()
  }
})

test('a message that the daemon has kept becomes a test, by its id: its text, users and files', async () => {
  const kept = temporaryFolder('replay-message')
  const port = await freePort()
  const server = await startServer({
    configuration: `explain_store = 100
primary_hostname = mail.example.net
acl_smtp_rcpt = check_rcpt
acl_smtp_data = check_data
begin acl
check_rcpt:
  deny  condition = \${lookup{$sender_address}lsearch{${folder.path}/bad}{yes}{no}}
        message = bad sender
  accept verify = recipient
check_data:
  deny  condition = \${if match{$h_subject:}{spam}}
        message = spam
  warn  add_header = X-Seen: yes
  accept
begin routers
users:
  driver = accept
  check_local_user
  local_parts = root
  transport = smtp
begin transports
smtp:
  driver = smtp
  hosts = 127.0.0.1
  port = ${port}
  allow_localhost
begin retry
* * F,2h,15m
`,
    folder: kept.path,
  })
  try {
    write('bad', 'evil@example.org: yes\n')
    const client = await connectSmtp(server.port)
    await client.say('EHLO client.example')
    await client.say('MAIL FROM:<a@example.org>')
    await client.say('RCPT TO:<root@mail.example.net>')
    await client.say('DATA')
    const id = /id=(\S+)/.exec((await client.say('Subject: a word\r\n\r\nand its text\r\n.')).raw)?.[1] ?? ''
    await client.say('QUIT')
    await server.logged(new RegExp(`${id} == root@`))
    const words = ['test', '--record', id, '-C', server.configurationFile]
    let recorded = await run(words)
    for (const limit = Date.now() + 60_000; recorded.code !== 0 && Date.now() < limit; )
      recorded = await run(words)
    assert.equal(recorded.code, 0, recorded.err)
    assert.match(recorded.out, /Subject: a word\n(?: +\S.*)?\n\n +and its text/)
    assert.doesNotMatch(recorded.out, /Received: /)
    assert.match(recorded.out, /^# Note: the text of the message is that in the queue/m)
    assert.match(recorded.out, /users:\n +root:\n +uid: 0/)
    assert.match(recorded.out, /\/bad: \|\n +evil@example\.org: yes\n/)
    assert.match(
      recorded.out,
      /^# Note: files stand here as they are now, which may not be as they were: \S+\/bad$/m,
    )
    const ran = await run(['test', write('kept.postern-test.yaml', recorded.out)])
    assert.equal(ran.code, 0, `${ran.out}\n${recorded.out}`)
    // Another text in place of the one in the queue.
    const other = write('other.eml', 'Subject: spam\n\nx\n')
    const spam = await run([...words, '--message', other])
    assert.match(spam.out, /Subject: spam/)
    const refused = await run(['test', write('spam.postern-test.yaml', spam.out)])
    assert.match(refused.out, /550 spam/)
    // Once it has left the queue nobody knows its text.
    await run(['-C', server.configurationFile, '-Mrm', id])
    const gone = await run(words)
    assert.equal(gone.code, 0, gone.err)
    assert.match(gone.out, /^# Note: the text of the message is not kept: .* --message FILE gives it\.$/m)
  } finally {
    await server.stop()
    kept.remove()
  }
})

test('--callouts asks the hosts, and what they say is part of the test', async () => {
  const sink = await startSink({
    rcpt: (line) => (line.includes('nobody') ? '550 5.1.1 nobody here' : '250 ok'),
  })
  try {
    const file = write(
      'callout.conf',
      `spool_directory = ${folder.path}/spool
log_file_path = ${folder.path}/logs/%slog
primary_hostname = mail.example.net
acl_smtp_rcpt = check_rcpt
begin acl
check_rcpt:
  require verify = recipient/callout=10s,no_cache
  accept
begin routers
all:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = smtp
begin transports
smtp:
  driver = smtp
  port = ${sink.port}
  allow_localhost
`,
    )
    const words = ['test', '--record', '-C', file, '--from', '192.0.2.1', '--mail', 'a@example.org']
    const recipients = ['--rcpt', 'ann@example.org', '--rcpt', 'nobody@example.org']
    const without = await run([...words, ...recipients])
    assert.equal(without.code, 0, without.err)
    assert.doesNotMatch(without.out, /550/)
    assert.equal(sink.connections, 0)
    const asked = await run([...words, ...recipients, '--callouts'])
    assert.equal(asked.code, 0, asked.err)
    assert.ok(sink.connections > 0)
    assert.match(asked.out, /callouts:[^]* nobody@example\.org: 550 5\.1\.1 nobody here\n/)
    assert.match(asked.out, /550-?Callout verification failed|550 5\.1\.1|Callout verification failed/)
    await sink.close()
    const ran = await run(['test', write('callout.postern-test.yaml', asked.out)])
    assert.equal(ran.code, 0, `${ran.out}\n${asked.out}`)
  } finally {
    await sink.close().catch(() => undefined)
  }
})
