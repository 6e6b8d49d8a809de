/** `deliver_drop_privilege`: local deliveries run under the run-time user or not at all. Needs root, to have other users. */
import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type StartedServer, startServer, temporaryFolder, until } from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'

const skip = process.getuid?.() !== 0 && 'needs root, to deliver under other users'
const folder = temporaryFolder('drop-privilege')
const box = join(folder.path, 'box')
let server: StartedServer

before(async () => {
  if (skip !== false) return
  mkdirSync(box)
  chmodSync(box, 0o777)
  // Only its owner may read it.
  writeFileSync(join(box, '.forward'), 'one@own.example\n')
  spawnSync('chown', ['nobody', join(box, '.forward')])
  chmodSync(join(box, '.forward'), 0o600)
  server = await startServer({
    folder: folder.path,
    configuration: `primary_hostname = mx.test.example
host_lookup =
tls_advertise_hosts =
deliver_drop_privilege
acl_smtp_rcpt = accept
begin routers
forward:
  driver = redirect
  domains = forward.example
  file = ${box}/.forward
  user = nobody
other:
  driver = accept
  domains = other.example
  transport = other
pipe:
  driver = accept
  domains = pipe.example
  transport = pipe
own:
  driver = accept
  transport = own
begin transports
other:
  driver = appendfile
  file = ${box}/other
  user = nobody
  group = nogroup
pipe:
  driver = pipe
  command = /bin/touch ${box}/piped
  user = nobody
own:
  driver = appendfile
  file = ${box}/own
`,
  })
})
after(async () => {
  await server?.stop()
  folder.remove()
})

async function send(to: string): Promise<void> {
  const client = await connectSmtp(server.port)
  await client.say('EHLO x')
  await client.deliver('a@b.example', [to], 'Subject: x\n\nx\n')
  client.end()
}

test('a delivery without a user runs under the run-time user', { skip }, async () => {
  await send('u@own.example')
  await server.logged(/=> u <u@own\.example> R=own T=own/)
  const owner = statSync(join(box, 'own')).uid
  const worker = spawnSync('ps', ['-o', 'uid=', '--ppid', String(server.process.pid)], { encoding: 'utf8' })
  assert.ok(
    worker.stdout.split('\n').some((uid) => Number(uid) === owner && owner !== 0),
    worker.stdout,
  )
})

for (const name of ['other', 'pipe'] as const) {
  test(`one that asks for another user is frozen, as in Exim: ${name}`, { skip }, async () => {
    await send(`u@${name}.example`)
    const { 1: id = '' } = await server.logged(
      new RegExp(
        `(\\S+) unable to set gid=\\d+ or uid=\\d+ \\(euid=\\d+\\): local delivery to u <u@${name}\\.example> transport=${name}`,
      ),
    )
    await server.logged(new RegExp(`${id} == u@${name}\\.example R=${name} T=${name} defer \\(-1\\)`))
    await server.logged(new RegExp(`${id} Frozen`))
    assert.match(server.log('panic'), new RegExp(`${id} unable to set gid=`))
    assert.equal(existsSync(join(box, name === 'pipe' ? 'piped' : name)), false)
  })
}

test("a user's file that only the user may read is not read with the user's rights", { skip }, async () => {
  await send('u@forward.example')
  await server.logged(/== u@forward\.example R=forward defer \(\S+\).*(?:Permission denied|permission)/)
  const own = existsSync(join(box, 'own')) ? readFileSync(join(box, 'own'), 'latin1') : ''
  assert.ok(!own.includes('one@own.example'))
  await until(() => true, 1)
})
