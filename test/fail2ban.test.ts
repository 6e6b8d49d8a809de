/** fail2ban's own Exim filters (Debian's package) find in our logs what they find in Exim's of the same sessions. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fetchDebian, fetchExim } from './support/debian.ts'
import { postern, type StartedServer, startServer, temporaryFolder } from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'

const fetched = fetchDebian(['fail2ban'])
const exim = fetchExim()
const running: (() => Promise<void>)[] = []
after(async () => {
  for (const stop of running) await stop()
})

const configuration = (program: string): string => `
primary_hostname = mail.test.example
exim_path = ${program}
keep_environment = PATH
tls_advertise_hosts =
host_lookup =
rfc1413_query_timeout = 0s
deliver_drop_privilege = true
log_selector = +smtp_no_mail +smtp_protocol_error
smtp_accept_max_nonmail = 3
smtp_max_synprot_errors = 2
auth_advertise_hosts = \${if eq{$sender_helo_name}{noauth.example}{}{*}}
acl_smtp_rcpt = check_rcpt
acl_smtp_helo = check_helo
begin acl
check_helo:
  drop condition = \${if eq{$sender_helo_name}{drop.example}}
  accept
check_rcpt:
  deny local_parts = relay
       message = relay not permitted
  deny local_parts = listed
       message = found in dnsbl.example: dnsbl
  require verify = sender
  deny local_parts = !known
       message = Unknown user
  accept
begin routers
local:
  driver = accept
  domains = local.example
  local_parts = known
  transport = nowhere
begin transports
nowhere:
  driver = appendfile
  file = /dev/null
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = no
`

/** What attackers do. Each on a connection of its own, so that one cannot hide the other. */
const attacks: readonly (readonly string[])[] = [
  ['EHLO a.example', 'MAIL FROM:<known@local.example>', 'RCPT TO:<relay@else.example>', 'QUIT'],
  ['EHLO b.example', 'MAIL FROM:<known@local.example>', 'RCPT TO:<nobody@local.example>', 'QUIT'],
  ['EHLO c.example', 'MAIL FROM:<forged@local.example>', 'RCPT TO:<known@local.example>', 'QUIT'],
  ['EHLO d.example', 'MAIL FROM:<known@local.example>', 'RCPT TO:<listed@local.example>', 'QUIT'],
  ['EHLO e.example', 'AUTH PLAIN AGEAYg==', 'QUIT'],
  ['EHLO noauth.example', 'AUTH PLAIN AGEAYg==', 'QUIT'],
  ['NOOP', 'NOOP', 'NOOP', 'NOOP', 'NOOP'],
  ['EHLO g.example', 'MAIL FROM:<>x', 'MAIL FROM:<>x', 'MAIL FROM:<>x', 'MAIL FROM:<>x'],
  ['EHLO h.example', 'QUIT'],
  ['EHLO drop.example'],
  ['EHLO [192.0.2.9]', 'MAIL FROM:<>', 'RCPT TO:<relay@else.example>', 'QUIT'],
]

async function attacked(program: string): Promise<StartedServer> {
  const folder = temporaryFolder('fail2ban')
  chmodSync(folder.path, 0o777)
  const server = await startServer({
    folder: folder.path,
    program,
    configuration: configuration(program),
    arguments: ['-q30m'],
  })
  running.push(async () => {
    await server.stop()
    folder.remove()
  })
  for (const commands of attacks) {
    const client = await connectSmtp(server.port)
    for (const command of commands) {
      const reply = await client.say(command).catch(() => undefined)
      if (reply === undefined || reply.code === 421) break
    }
    client.end()
  }
  await server.logged(/rejected EHLO or HELO drop.example/)
  return server
}

/** The lines that a filter finds, without what differs from run to run. */
function matched(server: StartedServer, filter: string): string[] {
  const root = 'root' in fetched ? fetched.root : ''
  const done = spawnSync(
    'python3',
    [
      join(root, 'usr/bin/fail2ban-regex'),
      '--print-all-matched',
      join(server.folder, 'log', 'mainlog'),
      join(root, 'etc/fail2ban/filter.d', filter),
    ],
    {
      encoding: 'utf8',
      env: { ...process.env, PYTHONPATH: join(root, 'usr/lib/python3/dist-packages') },
      timeout: 60_000,
    },
  )
  assert.equal(done.status, 0, done.stderr + done.stdout)
  const section = /Matched line\(s\):\n([\s\S]*?)\n`-/.exec(done.stdout)?.[1] ?? ''
  return section
    .split('\n')
    .filter((line) => /^\|\s+\d{4}-/.test(line))
    .map((line) =>
      line
        .replace(/^\|\s+\S+ \S+ /, '')
        .replaceAll(/D=\S+/g, 'D=N')
        .replaceAll(/\]:\d+/g, ']:PORT'),
    )
    .sort()
}

const python = spawnSync('python3', ['-c', 'import re']).status === 0
const skip: string | false = 'missing' in fetched ? fetched.missing : python ? false : 'no python3'

test('the filters exim and exim-spam of fail2ban find the attackers in our log', { skip }, async (t) => {
  const ours = await attacked(postern)
  const found = matched(ours, 'exim.conf')
  for (const part of [
    'relay not permitted',
    'Unknown user',
    'Sender verify failed',
    '535 Incorrect authentication data',
    'AUTH command used when not advertised',
    'too many nonmail commands',
    'no MAIL in SMTP connection',
  ])
    assert.ok(
      found.some((line) => line.includes(part)),
      `${part}\n${found.join('\n')}\n${readFileSync(join(ours.folder, 'log/mainlog'), 'utf8')}`,
    )
  assert.ok(matched(ours, 'exim-spam.conf').some((line) => line.includes('dnsbl')))
  if ('missing' in exim) return t.diagnostic(`not compared with Exim: ${exim.missing}`)
  if (process.getuid?.() !== 0) return t.diagnostic('not compared with Exim: its daemon needs root')
  const theirs = await attacked(exim.path)
  // Of Exim's own lines the filters miss too many errors ("..., C=EHLO,MAIL") is one that the filters miss.
  for (const filter of ['exim.conf', 'exim-spam.conf', 'exim.conf[mode=aggressive]'])
    assert.deepEqual(matched(ours, filter), matched(theirs, filter), filter)
})
