/** `verify = recipient/quota` of a started server: mailboxes of every kind, with and without the cache. */
import assert from 'node:assert/strict'
import { appendFileSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { spawnSync } from 'node:child_process'
import { postern, type StartedServer, startServer, temporaryFolder } from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'

const folder = temporaryFolder('verify-quota')
const mail = join(folder.path, 'mail')
const root = process.getuid?.() === 0
let server: StartedServer

/** ACLs for RCPT, chosen by the name the client gives with EHLO. */
const acls: Readonly<Record<string, string>> = {
  plain: 'require verify = recipient/quota',
  told: 'deny !verify = recipient/quota=no_cache\n  message = where=$recipient_verify_failure',
  short: 'require verify = recipient/quota=cachepos=1h,cacheneg=0s',
  long: 'require verify = recipient/quota=cachepos=0s,cacheneg=1d',
  odd: 'require verify = recipient/quota=what,cachepos',
  badtime: 'require verify = recipient/quota=cachepos=x',
  sender: 'require verify = sender/quota',
}

const transports: Readonly<Record<string, string>> = {
  box: `file = ${mail}/$local_part_data\n  quota = 10K`,
  exclusive: `file = ${mail}/nearly\n  quota = 10K\n  quota_is_inclusive = false`,
  decimal: `file = ${mail}/nearly\n  quota = 9.6K`,
  maildir: `directory = ${mail}/maildir\n  maildir_format\n  quota = 10K`,
  tree: `directory = ${mail}/tree\n  quota = 10K`,
  store: `directory = ${mail}/tree\n  mailstore_format\n  quota = 10K`,
  count: `directory = ${mail}/maildir\n  maildir_format\n  quota = 0\n  quota_filecount = 2`,
  known: `file = ${mail}/small\n  quota = 10K\n  mailbox_size = 20K`,
  unchecked: `file = ${mail}/full\n  quota = 10K/no_check`,
  wrong: `file = ${mail}/small\n  quota = \${if eq{a}{a}{abc}}`,
  none: `file = ${mail}/full`,
}

before(async () => {
  mkdirSync(join(mail, 'maildir', 'new'), { recursive: true })
  mkdirSync(join(mail, 'maildir', 'cur'))
  mkdirSync(join(mail, 'maildir', 'tmp'))
  mkdirSync(join(mail, 'tree', 'below'), { recursive: true })
  const sizes = {
    full: 20_000,
    small: 5_000,
    nearly: 9_900,
    grows: 5_000,
    shrinks: 20_000,
    'maildir/new/a': 9_000,
    'maildir/cur/b': 9_000,
    'tree/q.1': 9_000,
    'tree/below/q.2': 9_000,
  }
  for (const [name, size] of Object.entries(sizes)) writeFileSync(join(mail, name), 'x'.repeat(size))
  const owned = spawnSync('chown', ['-R', root ? 'nobody:nogroup' : userInfo().username, mail])
  assert.equal(owned.status, 0)
  // Only the owner may look: the check runs with the rights of the delivery.
  spawnSync('chmod', ['-R', 'go=', mail])
  const choice = Object.keys(acls).reduce(
    (rest, name) => `\${if eq{$sender_helo_name}{${name}}{acl_${name}}{${rest}}}`,
    'acl_plain',
  )
  server = await startServer({
    folder: folder.path,
    arguments: [],
    configuration: `primary_hostname = mx.test.example
qualify_domain = test.example
host_lookup =
tls_advertise_hosts =
queue_only
acl_smtp_rcpt = ${choice}
begin acl
${Object.entries(acls)
  .map(([name, text]) => `acl_${name}:\n  ${text}\n  accept\n`)
  .join('')}
begin routers
alias:
  driver = redirect
  domains = alias.example
  data = full@box.example
several:
  driver = redirect
  domains = several.example
  data = full@box.example, small@box.example
pipe:
  driver = accept
  domains = pipe.example
  transport = pipe
${Object.keys(transports)
  .map(
    (name) => `${name}:
  driver = accept
  domains = ${name}.example
  local_parts = ${name === 'box' ? 'full : small : nearly : missing : grows : shrinks' : '*'}
  transport = ${name}
`,
  )
  .join('')}
begin transports
pipe:
  driver = pipe
  command = /bin/cat
${Object.entries(transports)
  .map(
    ([name, text]) => `${name}:
  driver = appendfile
  ${text}
${root ? '  user = nobody\n  group = nogroup\n' : ''}`,
  )
  .join('')}`,
  })
})
after(async () => {
  await server?.stop()
  folder.remove()
})

async function asked(helo: string, address: string, size = ''): Promise<string> {
  const client = await connectSmtp(server.port)
  try {
    await client.say(`EHLO ${helo}`)
    await client.say(`MAIL FROM:<a@b.example>${size}`)
    return (await client.say(`RCPT TO:<${address}>`)).raw.trim()
  } finally {
    client.end()
  }
}

// Observed of Exim 4.96; the last sentence is that of a delivery.
const rows: readonly (readonly [says: string, address: string, answer: string, size?: string])[] = [
  ['a mailbox file that is full', 'full@box.example', '550 where=quota'],
  ['one with room', 'small@box.example', '250 Accepted'],
  ['one that is not there yet', 'missing@box.example', '250 Accepted'],
  ['one with room, for a message announced as too big', 'small@box.example', '550 where=quota', ' SIZE=8000'],
  ['the message does not count with quota_is_inclusive', 'a@exclusive.example', '250 Accepted', ' SIZE=8000'],
  ['a quota with a decimal point', 'a@decimal.example', '550 where=quota'],
  ['a maildir', 'a@maildir.example', '550 where=quota'],
  ['all files of a folder and those below', 'a@tree.example', '550 where=quota'],
  ['a mailstore folder', 'a@store.example', '550 where=quota'],
  ['quota_filecount', 'a@count.example', '550 where=quota'],
  ['mailbox_size says that it is full', 'a@known.example', '550 where=quota'],
  ['quota with no_check', 'a@unchecked.example', '250 Accepted'],
  ['a transport without a quota', 'a@none.example', '250 Accepted'],
  ['a pipe has none', 'a@pipe.example', '250 Accepted'],
  ['an alias of one address', 'a@alias.example', '550 where=quota'],
  ['an alias of several is good', 'a@several.example', '250 Accepted'],
  [
    'a quota that is no number',
    'a@wrong.example',
    '451-Malformed value "abc" (expansion of "${if eq{a}{a}{abc}}") in wrong\r\n451 transport',
  ],
]
for (const [says, address, answer, size] of rows) {
  test(`verify = recipient/quota: ${says}`, async () => {
    assert.equal(
      (await asked('told', address, size)).replaceAll('\r\n550 ', ' ').replaceAll('550-', '550 '),
      answer,
    )
  })
}

test('verify = recipient/quota: what the log says, and what of it is remembered', async () => {
  assert.equal(await asked('plain', 'full@box.example'), '550 Administrative prohibition')
  await server.logged(/rejected RCPT <full@box\.example>: Over quota$/m)
  assert.equal(await asked('plain', 'full@box.example'), '550 Administrative prohibition')
  await server.logged(/rejected RCPT <full@box\.example>: Previous \(cached\) quota verification failure$/m)
})

test('verify = recipient/quota: a good answer holds for cachepos, a bad one for cacheneg', async () => {
  assert.match(await asked('short', 'grows@box.example'), /^250 /)
  appendFileSync(join(mail, 'grows'), 'x'.repeat(20_000))
  assert.match(await asked('short', 'grows@box.example'), /^250 /)
  assert.match(await asked('long', 'grows@box.example'), /^550 /)
  truncateSync(join(mail, 'grows'), 100)
  assert.match(await asked('long', 'grows@box.example'), /^550 /)
  assert.match(await asked('told', 'grows@box.example'), /^250 /)
})

test('verify = recipient/quota: other words are passed over, a bad time and a sender are errors', async () => {
  assert.match(await asked('odd', 'small@box.example'), /^250 /)
  assert.match(await asked('badtime', 'small@box.example'), /^451 /)
  await server.logged(/bad time value in ACL condition "verify recipient\/quota=cachepos=x"/)
  assert.match(await asked('sender', 'small@box.example'), /^451 /)
  await server.logged(/can only verify quota of recipient/)
})

test('-bh shows the check', { skip: !root && 'needs root, for the rights of the delivery' }, () => {
  const { stdout, stderr } = spawnSync(postern, ['-C', server.configurationFile, '-bh', '192.0.2.1'], {
    input: 'EHLO told\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<full@box.example>\r\nQUIT\r\n',
    encoding: 'latin1',
  })
  assert.match(stdout, /^550 where=quota\r?$/m, stderr)
})
