/** The queue from the command line, beside a running daemon and without one. Words as Exim 4.96 says them. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { postern, startServer, type StartedServer, temporaryFolder, until } from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'

const folder = temporaryFolder('queue')
const root = process.getuid?.() === 0
const login = spawnSync('id', ['-un'], { encoding: 'utf8' }).stdout.trim()
// Deliveries run as the user that delivers; as root that is the run-time user, else the caller.
const configuration = `
primary_hostname = mail.example
qualify_domain = local.example
domainlist local_domains = local.example
acl_smtp_rcpt = accept
begin routers
held:
  driver = redirect
  local_parts = held
  data = :defer: held for a test
  allow_defer
gone:
  driver = redirect
  local_parts = gone
  data = :fail: gone for a test
  allow_fail
here:
  driver = accept
  domains = +local_domains
  local_parts = one : two : sender
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = ${folder.path}/mail/$local_part_data
  maildir_format
  user = ${root ? 'mail' : login}
begin retry
* * F,1d,1h
`
let server: StartedServer

before(async () => {
  mkdirSync(join(folder.path, 'mail'), { mode: 0o777 })
  spawnSync('chmod', ['1777', join(folder.path, 'mail')])
  server = await startServer({ configuration, folder: folder.path })
})
after(async () => {
  await server.stop()
  folder.remove()
})

async function send(recipients: readonly string[], subject: string): Promise<string> {
  const client = await connectSmtp(server.port)
  await client.say('EHLO client.example')
  const answer = await client.deliver(
    'sender@local.example',
    recipients,
    `Subject: ${subject}\r\n\r\nbody of ${subject}\r\n`,
  )
  client.end()
  const id = /id=(\S+)/.exec(answer.raw)?.[1]
  assert.ok(id, answer.raw)
  return id
}
const mail = (user: string): string[] => {
  const path = join(folder.path, 'mail', user, 'new')
  return existsSync(path) ? readdirSync(path).map((name) => readFileSync(join(path, name), 'latin1')) : []
}
/** A message that waits: its delivery was tried and deferred. */
async function held(subject: string): Promise<string> {
  const id = await send(['held@local.example'], subject)
  await server.logged(new RegExp(`${id} == held@local\\.example R=held defer \\(-1\\): held for a test`))
  return id
}

test('an accepted message is delivered at once and leaves the queue', async () => {
  const id = await send(['one@local.example'], 'at once')
  await server.logged(new RegExp(`${id} => one <one@local\\.example> R=here T=maildir`))
  await server.logged(new RegExp(`${id} Completed`))
  assert.equal(server.command('-bpc').stdout, '0\n')
})

test('-bp lists what waits, in Exim’s form; -bpc counts it; -bpi names it', async () => {
  const id = await held('listed')
  const listed = await until(() => {
    const { stdout } = server.command('-bp')
    return stdout === '' ? undefined : stdout
  }, 5000)
  assert.match(
    listed ?? '',
    new RegExp(`^ 0m  {2}\\d{3} ${id} <sender@local\\.example>\\n          held@local\\.example\\n\\n$`),
  )
  assert.equal(server.command('-bpc').stdout, '1\n')
  assert.equal(server.command('-bpi').stdout, `${id}\n`)
  assert.equal(server.command('-Mrm', id).stdout, `Message ${id} has been removed\n`)
  assert.equal(server.command('-bp').stdout, '')
  await server.logged(new RegExp(`${id} removed by ${login}\n.* ${id} Completed`))
})

test('-Mf, -Mt: frozen and thawed, each told once', async () => {
  const id = await held('frozen')
  assert.deepEqual(pick(server.command('-Mf', id)), [0, `Message ${id} is now frozen\n`])
  assert.deepEqual(pick(server.command('-Mf', id)), [1, `Message ${id} is already frozen\n`])
  assert.match(server.command('-bp').stdout, /<sender@local\.example> \*\*\* frozen \*\*\*\n/)
  assert.deepEqual(pick(server.command('-Mt', id)), [0, `Message ${id} is no longer frozen\n`])
  assert.deepEqual(pick(server.command('-Mt', id)), [1, `Message ${id} is not frozen\n`])
  await server.logged(new RegExp(`${id} frozen by ${login}`))
  await server.logged(new RegExp(`${id} unfrozen by ${login}`))
  server.command('-Mrm', id)
})

test('-Mar, -Mmd, -Mes change a message; -q delivers what can be delivered now', async () => {
  const id = await held('edited')
  assert.deepEqual(pick(server.command('-Mar', id, 'two@local.example')), [
    0,
    `Message ${id} has been modified\n`,
  ])
  assert.deepEqual(pick(server.command('-Mes', id, 'one@local.example')), [
    0,
    `Message ${id} has been modified\n`,
  ])
  const strange = server.command('-Mmd', id, 'nobody@local.example')
  assert.deepEqual(pick(strange), [
    1,
    `Message ${id} - error while marking as delivered:\n  nobody@local.example is not a recipient: message not updated\n`,
  ])
  assert.deepEqual(pick(server.command('-Mmd', id, 'held@local.example')), [
    0,
    `Message ${id} has been modified\n`,
  ])
  assert.match(
    server.command('-bp', id).stdout,
    /<one@local\.example>\n {8}D held@local\.example\n {10}two@local\.example\n/,
  )
  assert.equal(server.command('-qf').status, 0)
  await server.logged(new RegExp(`${id} => two <two@local\\.example>`))
  await server.logged(new RegExp(`${id} Completed`))
  assert.ok(mail('two').some((text) => /^Return-path|Subject: edited/m.test(text)))
})

test('-Mvh, -Mvb, -Mvc, -Mvl show a message', async () => {
  const id = await held('shown')
  assert.match(
    server.command('-Mvh', id).stdout,
    new RegExp(`^${id}-H\\n\\S+ \\d+ \\d+\\n<sender@local\\.example>\\n`),
  )
  assert.equal(server.command('-Mvb', id).stdout, `${id}-D\nbody of shown\n`)
  assert.match(
    server.command('-Mvc', id).stdout,
    /^Received: from .*\nSubject: shown\n(?:.*\n)*\nbody of shown\n$/s,
  )
  assert.match(server.command('-Mvl', id).stdout, /held for a test/)
  server.command('-Mrm', id)
})

test('-M delivers one message now; a recipient that fails makes a bounce', async () => {
  const id = await held('given up')
  assert.equal(server.command('-Mar', id, 'gone@local.example').status, 0)
  assert.equal(server.command('-M', id).status, 0)
  await server.logged(new RegExp(`${id} \\*\\* gone@local\\.example R=gone: gone for a test`))
  await server.logged(new RegExp(`<= <> R=${id} U=\\S+ P=local`))
  const bounce = await until(() => mail('sender').find((text) => text.includes('gone for a test')), 10_000)
  assert.match(bounce ?? '', /Mail delivery failed/)
  assert.equal(server.command('-Mg', id).status, 0)
  await server.logged(new RegExp(`${id} cancelled by ${login}`))
  await server.logged(new RegExp(`${id} Completed`))
})

test('what is no message id, and what is not there', () => {
  assert.match(server.command('-Mrm', 'zz').stderr, /^\S+: malformed message id zz after -Mrm option\n$/)
  assert.match(server.command('-Mf').stderr, /^\S+: no message ids given after -Mf option\n$/)
  const id = '1xVgYm-0003YL-0F'
  assert.deepEqual(pick(server.command('-Mrm', id)), [1, `Message ${id} has been removed or did not exist\n`])
  assert.deepEqual(pick(server.command('-Mt', id)), [1, `Spool data file for ${id} does not exist\n`])
})

test('-odq leaves a message for the next queue run; -R takes only what matches', async () => {
  for (const user of ['one', 'two']) {
    const done = spawnSync(postern, ['-C', server.configurationFile, '-odq', '-i', `${user}@local.example`], {
      input: `Subject: queued for ${user}\n\nx\n`,
      encoding: 'latin1',
    })
    assert.equal(done.status, 0, done.stderr)
  }
  assert.equal(server.command('-bpc').stdout, '2\n')
  assert.equal(server.command('-R', 'ONE@').status, 0)
  assert.ok(
    mail('one').some((text) => text.includes('queued for one')),
    server.log(),
  )
  assert.equal(server.command('-bpc').stdout, '1\n')
  assert.equal(server.command('-q').status, 0)
  assert.ok(
    mail('two').some((text) => text.includes('queued for two')),
    server.log(),
  )
  assert.equal(server.command('-bpc').stdout, '0\n')
})

test('the same commands work when no daemon runs', async () => {
  const id = await held('left behind')
  await server.stop()
  assert.equal(server.command('-bpc').stdout, '1\n')
  assert.deepEqual(pick(server.command('-Mf', id)), [0, `Message ${id} is now frozen\n`])
  assert.deepEqual(pick(server.command('-Mrm', id)), [0, `Message ${id} has been removed\n`])
  assert.equal(server.command('-bpc').stdout, '0\n')
})

function pick(done: { readonly status: number | null; readonly stdout: string }): [number | null, string] {
  return [done.status, done.stdout]
}
