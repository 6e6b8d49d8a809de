/** `-bh` tells what each statement of an ACL, each list and each router decides, line for line as Exim does. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { postern, temporaryFolder } from './support/server.ts'

const exim = process.env.POSTERN_TEST_EXIM4 ?? '/usr/sbin/exim4'
const hindrance = !existsSync(exim)
  ? `no Exim at ${exim}`
  : process.getuid?.() !== 0
    ? 'needs root, to run Exim with a configuration of its own'
    : false
const folder = temporaryFolder('host-check')
after(() => folder.remove())

const configuration = `primary_hostname = mx.test.example
qualify_domain = test.example
domainlist local_domains = test.example : local.example
hostlist relay = 192.0.2.0/24
host_lookup =
tls_advertise_hosts =
helo_lookup_domains =
smtputf8_advertise_hosts =
rfc1413_query_timeout = 0s
acl_smtp_connect = c
acl_smtp_helo = h
acl_smtp_mail = m
acl_smtp_rcpt = r
acl_smtp_data = d
begin acl
c:
  deny hosts = 10.9.9.9
    message = no
  accept
h:
  warn condition = \${if eq{$sender_helo_name}{x}}
    set acl_c_helo = $sender_helo_name
    log_message = greeted
  accept
m:
  deny senders = bad@b.example : *@spam.example
  accept authenticated = *
  warn encrypted = *
  accept
r:
  accept hosts = :
  deny message = Restricted characters
    domains = +local_domains
    local_parts = ^[.] : ^.*[@%!/|]
  require verify = sender
  accept hosts = +relay
    control = submission
  deny ratelimit = 0 / 1h / strict / $sender_address
    condition = \${if eq{$local_part}{rate}}
  defer condition = \${if eq{$local_part}{late}{yes}{no}}
    delay = 5s
  accept domains = +local_domains
    endpass
    message = unknown user
    verify = recipient
  deny message = relay not permitted
d:
  warn add_header = X-T: $acl_c_helo
  deny condition = \${if match{$h_subject:}{spam}}
  accept
begin routers
fail:
  driver = redirect
  local_parts = nouser
  data = :fail: no such user
  allow_fail
local:
  driver = accept
  transport = null
begin transports
null:
  driver = appendfile
  file = /dev/null
`

const dialogue = [
  'EHLO x',
  'MAIL FROM:<bad@b.example>',
  'MAIL FROM:<a@b.example>',
  ...['u', 'nouser', 'a%b', 'rate', 'late'].map((part) => `RCPT TO:<${part}@test.example>`),
  'RCPT TO:<u@far.example>',
  'DATA',
  'Subject: spam',
  '',
  'x',
  '.',
  'QUIT',
]

/** The lines that explain; ids and places of the run taken out. */
function explained(program: string, name: string, host: string): string[] {
  const own = join(folder.path, name)
  for (const each of ['', 'spool', 'log']) {
    mkdirSync(join(own, each), { recursive: true })
    chmodSync(join(own, each), 0o777)
  }
  const file = join(own, 'exim.conf')
  writeFileSync(file, `spool_directory = ${own}/spool\nlog_file_path = ${own}/log/%slog\n${configuration}`)
  const done = spawnSync(program, ['-C', file, '-bh', host], {
    input: dialogue.map((line) => `${line}\r\n`).join(''),
    encoding: 'latin1',
    timeout: 60_000,
  })
  return done.stderr
    .replaceAll(own, 'DIR')
    .split('\n')
    .filter((line) => line.startsWith('>>>') || line.startsWith('LOG'))
    .map((line) => line.replace(/^LOG: \w{6}-\w+-\w+ /, 'LOG: ID '))
}

for (const host of ['10.9.9.9', '10.0.0.1', '192.0.2.7']) {
  test(`-bh ${host} explains as Exim does`, { skip: hindrance }, () => {
    const expected = explained(exim, 'exim', host)
    assert.ok(expected.length > 10, expected.join('\n'))
    assert.deepEqual(explained(postern, 'postern', host), expected)
  })
}
