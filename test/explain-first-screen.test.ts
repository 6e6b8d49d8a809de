/** `postern explain`: what its first screen tells beside the statement that decided. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type DnsServer, startDnsServer } from './support/dns-server.ts'
import { localUser, postern, temporaryFolder } from './support/server.ts'

const folder = temporaryFolder('explain-screen')
const at = folder.path
const file = join(at, 'exim.conf')
let dns: DnsServer

const configuration = `RELAY = relay not permitted
primary_hostname = mx.test
spool_directory = ${at}/spool
log_file_path = ${at}/log/%slog
explain_store = 100
tls_advertise_hosts =
system_filter = ${at}/system.filter
system_filter_file_transport = box
domainlist local_domains = here.test
acl_smtp_rcpt = rcpt
acl_smtp_dkim = dkim
acl_smtp_data = data
acl_smtp_mail = accept senders = : *.test
begin acl
rcpt:
  deny senders = unchecked@down.test
       !verify = sender
  warn local_parts = fake
       control = fakereject/No thanks
  discard local_parts = dropped
  deny local_parts = rate
       ratelimit = 0 / 1h / strict / per_conn / x
  deny local_parts = seen
       !seen = -5m / key=k
  deny local_parts = run
       condition = \${run{/bin/false}{no}{yes}}
  deny local_parts = inner
       condition = \${acl{inner}}
  deny local_parts = notnumber
       condition = \${if >{$local_part}{5}}
  accept local_parts = postmaster
  accept domains = +local_domains
         verify = recipient
  require verify = sender
  deny message = RELAY
inner:
  accept message = yes
dkim:
  deny dkim_status = fail
  accept
data:
  warn condition = \${if eq{$h_subject:}{Later}}
       set acl_m_later = yes
  defer condition = $acl_m_later
  accept
begin routers
far:
  driver = dnslookup
  ignore_target_hosts = 127.0.0.0/8
  domains = ! +local_domains
  transport = smtp
  no_more
aliases:
  driver = redirect
  local_parts = gone : moved
  allow_fail
  data = \${if eq{$local_part}{gone}{:fail: she has left}{joe@here.test}}
filtered:
  driver = redirect
  local_parts = ann
  allow_filter
  router_home_directory = ${at}/mail
  file = ${at}/ann.filter
  user = ${localUser}
  file_transport = box
  reply_transport = reply
sieve:
  driver = redirect
  local_parts = bob
  allow_filter
  router_home_directory = ${at}/mail
  file = ${at}/bob.sieve
  user = ${localUser}
  file_transport = box
joe:
  driver = accept
  local_parts = joe : ann : fake : dropped
  transport = joe
begin transports
smtp:
  driver = smtp
box:
  driver = appendfile
reply:
  driver = autoreply
joe:
  driver = appendfile
  file = ${at}/mail/joe
  user = ${localUser}
`

const message = (subject: string, more = ''): string =>
  `${more}From: a@good.test\nTo: joe@here.test\nSubject: ${subject}\n\nhello\n`

before(async () => {
  dns = await startDnsServer({
    'good.test MX': [{ type: 'MX', data: { preference: 10, exchange: 'mx.good.test' } }],
    'mx.good.test A': [{ type: 'A', data: '192.0.2.99' }],
    'down.test': 'servfail',
    'loop.test A': [{ type: 'A', data: '127.0.0.1' }],
  })
  chmodSync(at, 0o755)
  for (const each of ['spool', 'log', 'mail']) {
    mkdirSync(join(at, each))
    chmodSync(join(at, each), 0o777)
  }
  writeFileSync(file, configuration)
  writeFileSync(
    join(at, 'system.filter'),
    `# Exim filter
logfile ${at}/mail/filter.log
logwrite "seen"
if $h_subject: is "Forbidden" then fail "no such subject" endif
if $h_subject: is "Marked" then headers add "X-Marked: yes" add 3 to n5 endif
if $h_subject: is "Archive" then seen save ${at}/mail/archive endif
`,
  )
  writeFileSync(
    join(at, 'bob.sieve'),
    '# Sieve filter\nrequire "fileinto";\nif header :is "subject" "Filed" { fileinto "filed"; }\n',
  )
  writeFileSync(
    join(at, 'ann.filter'),
    `# Exim filter
logfile ${at}/mail/ann.log
logwrite "seen"
if $h_x-marked: is "yes" and $sn5 is 3 then save ${at}/mail/marked endif
if $h_subject: is "Answer" then mail to boss@good.test text "hi" endif
`,
  )
})
after(async () => {
  await dns.close()
  folder.remove()
})

function run(words: readonly string[], input = ''): Promise<string> {
  const child = spawn(process.execPath, [postern, ...words], {
    cwd: '/',
    env: { ...process.env, POSTERN_DNS: `${dns.address}:${dns.port}` },
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes: Buffer) => void (text += bytes.toString()))
  child.stdin.end(input)
  return new Promise((resolve) => child.once('close', () => resolve(text)))
}

/** The first screen of a session from a good sender. */
function explain(to: readonly string[], content?: string, from = 'a@good.test'): Promise<string> {
  const words = ['--from', '192.0.2.1', '--mail', from, ...to.flatMap((each) => ['--rcpt', each])]
  const path = join(at, 'message')
  if (content !== undefined) writeFileSync(path, content)
  return run([
    'explain',
    '-C',
    file,
    '--brief',
    ...words,
    ...(content === undefined ? [] : ['--message', path]),
  ])
}

/** `FILE:LINE` of the line that holds the text. */
function line(text: string): string {
  const index = configuration.split('\n').findIndex((each) => each.includes(text))
  assert.ok(index >= 0, text)
  return `${file}:${index + 1}`
}

function has(screen: string, ...pieces: readonly string[]): void {
  for (const each of pieces) assert.ok(screen.includes(each), `${each}\n--- in\n${screen}`)
}

test('a refusal for want of an ACL names the option', async () => {
  const bare = join(at, 'bare.conf')
  writeFileSync(bare, 'primary_hostname = mx.test\n')
  const screen = await run(
    `explain -C ${bare} --brief --from 192.0.2.1 --mail a@good.test --rcpt joe@here.test`.split(' '),
  )
  has(
    screen,
    'answered 550 Administrative prohibition\n  no ACL statement decided this\n  acl: acl_smtp_rcpt is not set\n',
  )
})

test('a refusal that asks for nothing tells what would have accepted, and why it did not', async () => {
  const screen = await explain(['gone@here.test'])
  has(
    screen,
    'answered 550 relay not permitted',
    `decided by "deny" in ${line('deny message = RELAY')}`,
    'before it, these did not accept:',
    `"accept local_parts = postmaster" in ${line('accept local_parts = postmaster')}`,
    'gone in localpart list postmaster: no',
    `"accept domains = +local_domains" in ${line('accept domains = +local_domains')}`,
    'verify = recipient  -> false: she has left',
  )
})

test('a sender that was verified before: what came of it is told again', async () => {
  const screen = await explain(['x@far.test', 'y@far.test'], undefined, 'b@down.test')
  has(
    screen,
    'down.test MX -> no answer for now',
    'sender b@down.test, as found before -> defer: host lookup did not complete',
  )
})

test('DKIM: the signatures and what came of them', async () => {
  const signature =
    'DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=good.test; s=x; h=from:subject;\n bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=abcd\n'
  const screen = await explain(['joe@here.test'], message('signed', signature))
  has(screen, `in ${line('deny dkim_status')}`, 'signature d=good.test s=x -> fail: bodyhash_mismatch')
})

const values: readonly { readonly to: string; readonly saw: string }[] = [
  { to: 'rate', saw: 'the rate of 1h/per_conn/x: 1.0 per 1h, the limit is 0\n' },
  { to: 'seen', saw: 'k: not seen before\n' },
  { to: 'run', saw: '$runrc is "1"\n' },
  { to: 'inner', saw: `ACL inner -> accept: yes (${line('accept message = yes')})\n` },
  { to: 'notnumber', saw: 'cannot be expanded: integer expected but "notnumber" found\n' },
]
for (const { to, saw } of values)
  test(`what a condition saw: ${saw.trim()}`, async () => {
    has(await explain([`${to}@here.test`]), `decided by "deny local_parts = ${to}"`, saw)
  })

test('a message that is refused in words alone, for what an ACL said of a recipient', async () => {
  has(
    await explain(['fake@here.test'], message('x')),
    'answered 550 No thanks',
    `decided by "warn local_parts = fake" in ${line('warn local_parts = fake')}`,
  )
})

test('a recipient that was thrown away goes nowhere', async () => {
  for (const content of [undefined, message('x')]) {
    const screen = await explain(['dropped@here.test', 'joe@here.test'], content)
    has(screen, 'answered 250 Accepted (and throws it away)', 'routing of joe@here.test')
    assert.doesNotMatch(screen, /routing of dropped/)
    assert.doesNotMatch(await explain(['dropped@here.test'], content), /routing of/)
  }
})

test('addresses that a router leaves out', async () => {
  has(
    await explain(['x@far.test'], undefined, 'a@loop.test'),
    `decided by "require verify = sender" in ${line('require verify = sender')}`,
    '127.0.0.1 in host list 127.0.0.0/8 -> yes',
    'far router: decline',
  )
})

test('macros are set with -D, in what is recorded too', async () => {
  const words = [
    '-C',
    file,
    '-D',
    'RELAY=not here',
    '--from',
    '192.0.2.1',
    '--mail',
    'a@good.test',
    '--rcpt',
    'b@far.test',
  ]
  has(await run(['explain', ...words, '--brief']), 'answered 550 not here')
  const recorded = await run(['test', '--record', ...words])
  has(recorded, 'macros:\n  RELAY: not here\n')
  const path = join(at, 'recorded.postern-test.yaml')
  writeFileSync(path, recorded)
  has(await run(['test', path]), '1 passed of 1 tests')
  assert.equal(
    await run(['explain', '-C', '/nope.conf', '--from', '192.0.2.1']),
    'postern explain: non-existent configuration file(s): /nope.conf\n',
  )
})

test('an ACL that is written into an option stands where that does', async () => {
  has(
    await explain(['joe@here.test'], undefined, 'a@good.example'),
    'answered 550 Administrative prohibition',
    `in ${line('acl_smtp_mail = accept')}`,
    '| acl_smtp_mail = accept senders',
  )
})

test('an ACL variable: where it has been set', async () => {
  const screen = await explain(['joe@here.test'], message('Later'))
  has(screen, `$acl_m_later is "yes" (set in ${line('set acl_m_later')})`)
})

test('a message that is played goes through the system filter and the filters of users, which write nothing', async () => {
  const failed = await explain(['joe@here.test'], message('Forbidden'))
  has(
    failed,
    `the system filter ${at}/system.filter\n  fail: no such subject\n`,
    '  Fail text "no such subject" (line 4 of the filter)\n',
  )
  assert.doesNotMatch(failed, /routing of/)
  const marked = await explain(['ann@here.test', 'moved@here.test'], message('Marked'))
  has(
    marked,
    '  the message goes on, headers changed\n',
    `ann@here.test -> ${at}/mail/marked`,
    `ann@here.test: by router filtered (${line('filtered:')}:1)`,
    `\n    Save message to: ${at}/mail/marked (line 4 of the filter)\n`,
    `moved@here.test: by router aliases (${line('aliases:')}:1)`,
    `joe@here.test: by router joe (${line('joe:')}:1)`,
  )
  const archived = await explain(['joe@here.test'], message('Archive'))
  has(archived, '  the recipients are ignored, 1 delivery of its own\n')
  has(await explain(['ann@here.test'], message('Answer')), 'by router filtered')
  has(await explain(['bob@here.test'], message('Filed')), '\n    fileinto "filed" (line 3 of the filter)\n')
  has(await explain(['bob@here.test'], message('Other')), '\n    keep (nothing else was done)\n')
  for (const each of ['filter.log', 'ann.log', 'marked', 'archive'])
    assert.equal(existsSync(join(at, 'mail', each)), false, each)
  assert.equal(await run(['-C', file, '-bpc']), '0\n')
})

test('deliveries that were kept: the system filter, the router and the transport, each with its place', async () => {
  const deliver = async (to: readonly string[], subject: string): Promise<string> => {
    await run(['-C', file, '-odi', '-f', 'a@good.test', ...to], message(subject))
    const ids = readFileSync(join(at, 'log', 'mainlog'), 'latin1').match(/\S+(?= <= a@good\.test)/g)
    return run(['explain', '-C', file, '--brief', ids?.at(-1) ?? ''])
  }
  has(await deliver(['joe@here.test'], 'Forbidden'), `the system filter ${at}/system.filter\n  fail: no such`)
  has(
    await deliver(['gone@here.test', 'joe@here.test'], 'plain'),
    `address of gone@here.test\n  failed: she has left\n  by router aliases (${line('aliases:')}:1)\n`,
    `address of joe@here.test\n  router joe, transport joe\n  by router joe (${line('joe:')}:1)\n`,
    `transport of joe to joe@here.test\n  joe@here.test: delivered\n  by transport joe (${file}:`,
  )
})
