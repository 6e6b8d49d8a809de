/** Forward files in homes that are closed to everybody but their user: read with the rights of that user. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { startServer, type StartedServer, temporaryFolder } from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'

const needsRoot = { skip: process.getuid?.() !== 0 && 'needs root' }
const folder = temporaryFolder('forward')
const homes = join(folder.path, 'homes')
const configuration = `
primary_hostname = mail.example
qualify_domain = local.example
domainlist local_domains = local.example
never_users = root : sync
acl_smtp_rcpt = check_rcpt
begin acl
check_rcpt:
  require verify = recipient
  accept
begin routers
announce:
  driver = redirect
  domains = +local_domains
  local_part_suffix = -quiet
  check_local_user
  require_files = ${homes}/$local_part_data/.quiet
  data = :blackhole:
forward:
  driver = redirect
  domains = +local_domains
  check_local_user
  file = ${homes}/$local_part_data/.forward
  no_check_owner
  no_check_group
owned:
  driver = redirect
  domains = owned.example
  check_local_user
  file = ${homes}/$local_part_data/.forward
users:
  driver = accept
  domains = +local_domains
  check_local_user
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = ${folder.path}/mail/$local_part_data
  maildir_format
begin retry
* * F,1d,1h
`
let server: StartedServer

/** A user's closed home, with files; `foreign` ones belong to root and are closed too. */
function home(user: string, files: Readonly<Record<string, string>>, foreign = false): void {
  const [uid = 0, gid = 0] = ['-u', '-g'].map((which) =>
    Number(spawnSync('id', [which, user], { encoding: 'utf8' }).stdout),
  )
  const path = join(homes, user)
  mkdirSync(path)
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(path, name), text)
    chmodSync(join(path, name), 0o600)
    if (!foreign) chownSync(join(path, name), uid, gid)
  }
  chownSync(path, uid, gid)
  chmodSync(path, 0o700)
}

before(async () => {
  if (needsRoot.skip !== false) return
  mkdirSync(homes)
  mkdirSync(join(folder.path, 'mail'))
  spawnSync('chmod', ['1777', join(folder.path, 'mail')])
  spawnSync('chmod', ['755', homes])
  home('games', { '.forward': 'bin\n', '.quiet': '' })
  home('bin', {})
  home('man', { '.forward': 'bin\n' }, true)
  home('sync', { '.forward': 'bin\n' })
  // Ours alone, so that a user's :include: of it would show what the user may not see.
  const secret = join(folder.path, 'secret')
  writeFileSync(secret, 'bin\n')
  chmodSync(secret, 0o600)
  home('news', { '.forward': `:include:${secret}\n` })
  server = await startServer({ configuration, folder: folder.path })
  const log = spawnSync('stat', ['-c', '%u %g', join(folder.path, 'log', 'mainlog')], { encoding: 'utf8' })
  const [uid = 0, gid = 0] = log.stdout.trim().split(' ').map(Number)
  chownSync(secret, uid, gid)
})
after(async () => {
  if (needsRoot.skip === false) await server.stop()
  folder.remove()
})

async function rcpt(address: string): Promise<string> {
  const client = await connectSmtp(server.port)
  await client.say('EHLO client.example')
  await client.say('MAIL FROM:<sender@client.example>')
  const answer = await client.say(`RCPT TO:<${address}>`)
  client.end()
  return answer.raw
}

test('a daemon follows a .forward that only its user can read', needsRoot, async () => {
  const client = await connectSmtp(server.port)
  await client.say('EHLO client.example')
  const answer = await client.deliver('s@client.example', ['games@local.example'], 'Subject: x\r\n\r\nx\r\n')
  client.end()
  const id = /id=(\S+)/.exec(answer.raw)?.[1] ?? ''
  await server.logged(new RegExp(`${id} => bin <games@local\\.example> R=users T=maildir`))
  assert.equal(readdirSync(join(folder.path, 'mail', 'bin', 'new')).length, 1)
})

const tested: readonly (readonly [says: string, address: string, output: RegExp])[] = [
  [
    '-bt follows it too',
    'games@local.example',
    /^bin@local\.example\n {4}<-- games@local\.example\n {2}router = users/,
  ],
  ['a user without one gets the mail', 'bin@local.example', /^bin@local\.example\n {2}router = users/],
  [
    'one that its user cannot read defers',
    'man@local.example',
    /^man@local\.example cannot be resolved at this time: failed to open \S+\/homes\/man\/\.forward: Permission denied \(euid=\d+ egid=\d+\)\n/,
  ],
  [
    'no file is read as a user of never_users',
    'sync@local.example',
    /^sync@local\.example cannot be resolved at this time: failed to open \S+\/\.forward: User \d+ is on the never_users list\n/,
  ],
  [
    'what the user may not see is not included',
    'news@local.example',
    /^news@local\.example cannot be resolved at this time: error in redirect file: failed to open included file \S+\/secret: Permission denied \(euid=\d+ egid=\d+\)\n/,
  ],
  [
    'owner and mode that count are those of the file that was read',
    'games@owned.example',
    /^bin@local\.example\n {4}<-- games@owned\.example\n/,
  ],
  [
    'require_files sees a closed home as its user',
    'games-quiet@local.example',
    /^mail to games-quiet@local\.example is discarded\n/,
  ],
]
for (const [says, address, output] of tested) {
  test(says, needsRoot, () => assert.match(server.command('-bt', address).stdout, output))
}

test('addresses are verified with the rights of the user as well', needsRoot, async () => {
  assert.match(await rcpt('games@local.example'), /^250 /)
  assert.match(await rcpt('man@local.example'), /^451[ -]/)
})
