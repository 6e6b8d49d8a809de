/**
 * Exim's own log tools, from Debian's exim4-base, read our logs and our queue listing and say what they say for Exim:
 * the same messages go through a real Exim and through Postern, with one configuration.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fetchExim } from './support/debian.ts'
import { connectSmtp } from './support/smtp-client.ts'
import { postern, type StartedServer, startServer, temporaryFolder, until } from './support/server.ts'

const configuration = (program: string, folder: string): string => `
primary_hostname = mail.test.example
exim_path = ${program}
keep_environment = PATH
tls_advertise_hosts =
host_lookup =
rfc1413_query_timeout = 0s
deliver_drop_privilege = true
.ifdef _OPT_MAIN_MESSAGE_ID_FORM
message_id_form = short
.endif
domainlist local_domains = local.example
acl_smtp_rcpt = check_rcpt
queue_run_in_order
begin acl
check_rcpt:
  deny local_parts = refused
       message = no such user
  accept
begin routers
fails:
  driver = redirect
  local_parts = fails
  allow_fail
  data = :fail: gone away
defers:
  driver = redirect
  local_parts = defers
  allow_defer
  data = :defer: come again
local:
  driver = accept
  domains = +local_domains
  transport = maildir
begin transports
maildir:
  driver = appendfile
  maildir_format
  directory = ${folder}/mail
  create_directory
begin retry
* * F,2h,15m
`

interface Ran {
  readonly server: StartedServer
  readonly remove: () => void
  readonly log: string
}

async function converse(program: string): Promise<Ran> {
  const folder = temporaryFolder('tools')
  if (process.getuid?.() === 0) spawnSync('chmod', ['777', folder.path])
  const server = await startServer({
    configuration: configuration(program, folder.path),
    folder: folder.path,
    program,
  })
  const client = await connectSmtp(server.port)
  await client.say('EHLO client.example')
  const message = 'From: <a@client.example>\nSubject: greetings\nMessage-Id: <1@client.example>\n\nhello\n'
  await client.deliver('a@client.example', ['one@local.example', 'two@local.example'], message)
  await client.say('MAIL FROM:<a@client.example>')
  await client.say('RCPT TO:<refused@local.example>')
  await client.say('RSET')
  await client.deliver('a@local.example', ['fails@local.example'], message)
  await client.deliver('a@client.example', ['defers@local.example'], message)
  await client.say('QUIT')
  const settled = await until(() => {
    const log = server.log()
    return / Completed[\s\S]* Completed[\s\S]* Completed/.test(log) && / == /.test(log) ? log : undefined
  }, 15_000)
  if (settled === undefined)
    throw new Error(`the messages did not settle:\n${server.log()}\n${server.log('panic')}${server.output()}`)
  return { server, remove: () => folder.remove(), log: settled }
}

/** Numbers, ids and times of one run are not those of the other. */
function normal(text: string): string {
  return (
    text
      .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, 'DATE')
      .replaceAll(/\b[0-9A-Za-z]{6}-[0-9A-Za-z]{6}-[0-9A-Za-z]{2}\b/g, 'ID')
      .replaceAll(/Exim statistics from .*/g, '')
      // The run-time user, which a machine without Debian-exim has under another name.
      .replaceAll(/\bU=(Debian-exim|postern|mail)\b/g, 'U=USER')
      .replaceAll(/ {3}(Debian-exim|postern|mail)$/gm, '   USER')
      .replaceAll(/\b(S|QT|DT|RT)=\d+s?/g, '$1=N')
      .replaceAll(/\[127\.0\.0\.1\]:\d+/g, '[127.0.0.1]:PORT')
      .replaceAll(/\/[^\s]*\/postern-tools-\w+/g, 'FOLDER')
      .replaceAll(/\b\d+(\.\d+)?KB\b|\b\d{3,5}\b/g, 'N')
  )
}

const exim = fetchExim()
const tools = 'path' in exim ? join(exim.path, '..', 'usr/sbin') : ''
const skip =
  'missing' in exim
    ? exim.missing
    : process.getuid?.() !== 0
      ? 'a real Exim daemon with its own configuration needs root'
      : existsSync(join(tools, 'exigrep')) && existsSync('/usr/bin/perl')
        ? false
        : 'no exigrep or no perl'

const running: Ran[] = []
async function start(program: string): Promise<Ran> {
  const ran = await converse(program)
  running.push(ran)
  return ran
}
const eximPath = 'path' in exim ? exim.path : ''
const theirs: Ran | undefined = skip === false ? await start(eximPath) : undefined
const ours: Ran | undefined = skip === false ? await start(postern) : undefined
after(async () => {
  for (const ran of running) {
    await ran.server.stop()
    ran.remove()
  }
})

const tool = (name: string, ...args: string[]): string => {
  const done = spawnSync('perl', [join(tools, name), ...args], { encoding: 'latin1', timeout: 30_000 })
  assert.equal(done.stderr, '', name)
  return done.stdout
}
const mainlog = (ran: Ran | undefined): string => join(ran?.server.folder ?? '', 'log', 'mainlog')

test('eximstats counts the same messages, addresses, errors and rejections', { skip }, () => {
  const ofExim = normal(tool('eximstats', '-ne', '-nr', mainlog(theirs)))
  assert.match(ofExim, /Received/)
  assert.equal(normal(tool('eximstats', '-ne', '-nr', mainlog(ours))), ofExim)
})
for (const pattern of ['one@local.example', 'fails', 'refused', 'defers', 'Mailer|<>']) {
  test(`exigrep finds the same lines for ${pattern}`, { skip }, () => {
    const ofExim = normal(tool('exigrep', pattern, mainlog(theirs)))
    assert.notEqual(ofExim, '')
    assert.equal(normal(tool('exigrep', pattern, mainlog(ours))), ofExim)
  })
}
for (const args of [['-f', 'a@client.example'], ['-r', 'defers'], ['-c'], ['-i'], ['-b']]) {
  test(`exiqgrep ${args.join(' ')} answers the same`, { skip }, () => {
    const ask = (ran: Ran | undefined, program: string): string =>
      normal(tool('exiqgrep', '-E', program, '-C', ran?.server.configurationFile ?? '', ...args))
    assert.equal(ask(ours, postern), ask(theirs, eximPath))
  })
}
