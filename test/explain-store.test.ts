/** `explain_store`: what the daemon keeps of its sessions and deliveries, and `postern explain` shows. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Definition, isDefinition } from '../src/server/trace-table.ts'
import { findExplanations, type StoredExplanation } from '../src/store/explanations.ts'
import {
  localUser,
  postern,
  type StartedServer,
  startServer,
  temporaryFolder,
  until,
} from './support/server.ts'
import { connectSmtp, type SmtpClient } from './support/smtp-client.ts'

const needsRoot = { skip: process.getuid?.() === 0 ? false : 'needs root' }
const folder = temporaryFolder('explain-store')
const json = join(folder.path, 'log', 'json')
let server: StartedServer

const most = 40
const configuration = `primary_hostname = mx.test
explain_store = ${most}
daemon_workers = 2
log_format_json = ${json}
tls_advertise_hosts =
smtp_accept_max_nonmail = 1000
acl_smtp_rcpt = acl_rcpt
acl_smtp_auth = acl_auth
acl_smtp_vrfy = acl_vrfy
auth_advertise_hosts = *
begin acl
acl_rcpt:
  deny local_parts = bad
       message = not him
  accept
acl_auth:
  accept condition = \${if match{$smtp_command_argument}{PLAIN}}
acl_vrfy:
  accept condition = no
begin routers
local:
  driver = accept
  local_parts = joe
  transport = file
begin transports
file:
  driver = appendfile
  file = ${folder.path}/mail/joe
  user = ${localUser}
  mode_fail_narrower = false
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = \${if eq{$auth3}{topsecret}}
  server_set_id = $auth2
`

before(async () => {
  mkdirSync(join(folder.path, 'mail'))
  chmodSync(join(folder.path, 'mail'), 0o777)
  server = await startServer({ configuration, folder: folder.path })
})
after(async () => {
  await server.stop()
  folder.remove()
})

function explain(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(postern, ['explain', '-C', server.configurationFile, ...args], { encoding: 'utf8' })
}

/** The answer to a command. */
async function say(client: SmtpClient, line: string): Promise<string> {
  return (await client.say(line)).raw
}

/** Asks until the daemon has written what it keeps. */
async function explained(pattern: RegExp, ...args: readonly string[]): Promise<string> {
  let last = ''
  const found = await until(() => {
    const { stdout, stderr } = explain(...args)
    last = stdout + stderr
    return pattern.test(stdout) ? stdout : undefined
  }, 20_000)
  assert.ok(found !== undefined, last)
  return found
}

test('while there is nothing to show the command says why', () => {
  const { status, stderr } = explain('--rejected')
  assert.equal(status, 1)
  assert.match(
    stderr,
    /nothing has been kept yet \(explain_store = 40\)|no session that is kept had a refusal/,
  )
  writeFileSync(join(folder.path, 'off.conf'), `spool_directory = ${folder.path}/other\n`)
  const off = spawnSync(postern, ['explain', '-C', join(folder.path, 'off.conf'), '--rejected'], {
    encoding: 'utf8',
  })
  assert.equal(off.status, 1)
  assert.match(off.stderr, /set explain_store = 10000 in the main section/)
})

test('a message by its id: the session that took it, and its delivery', async () => {
  const client = await connectSmtp(server.port)
  await say(client, 'EHLO client.test')
  await say(client, 'MAIL FROM:<a@b.test>')
  await say(client, 'RCPT TO:<joe@here.test>')
  await say(client, 'DATA')
  const accepted = await say(client, 'Subject: hello\r\n\r\nbody\r\n.')
  const id = /id=(\S+)/.exec(accepted)?.[1] ?? ''
  await say(client, 'QUIT')
  await server.logged(/Completed/)
  const text = await explained(/delivery of/, id)
  assert.match(text, /a session from \[127\.0\.0\.1\]:\d+ \(trace [0-9a-f]{12}\)/)
  assert.match(text, /RCPT TO:<joe@here\.test>\n {2}answered 250 Accepted, by "accept" in \S+exim\.conf:\d+/)
  assert.match(text, /command DATA/)
  assert.match(text, /address joe@here\.test -> router local, transport file/)
  assert.match(text, /transport file to joe@here\.test -> delivered/)
  const page = join(folder.path, 'page.html')
  assert.equal(explain(id, '--html', page).status, 0)
  assert.match(readFileSync(page, 'utf8'), /delivery of/)
})

test('--rejected --last N: statement, file and line; the JSON log names them and the trace', async () => {
  const client = await connectSmtp(server.port)
  await say(client, 'EHLO client.test')
  await say(client, 'MAIL FROM:<a@b.test>')
  await say(client, 'RCPT TO:<bad@here.test>')
  await say(client, 'QUIT')
  const text = await explained(/not him/, '--rejected', '--last', '5')
  assert.match(
    text,
    /RCPT TO:<bad@here\.test>\n {2}answered 550 not him\n {2}decided by "deny local_parts = bad" in \S+exim\.conf:\d+/,
  )
  const line = readFileSync(json, 'utf8')
    .split('\n')
    .find((each) => each.includes('rejected RCPT'))
  const facts = JSON.parse(line ?? '{}') as {
    trace?: string
    logs?: string[]
    decidedBy?: { name: string; file: string; line: number }
  }
  const decided = /decided by "[^"]*" in (\S+):(\d+)/.exec(text)
  assert.deepEqual(facts.logs, ['main', 'reject'])
  assert.deepEqual(facts.decidedBy, { name: 'acl_rcpt', file: decided?.[1], line: Number(decided?.[2]) })
  const same = await explained(/not him/, '--trace', facts.trace ?? '')
  assert.match(same, new RegExp(`trace ${facts.trace}`))
})

test('passwords of AUTH are kept nowhere', async () => {
  const secret = Buffer.from('\0joe\0topsecret').toString('base64')
  const wrong = Buffer.from('\0joe\0nearlysecret').toString('base64')
  for (const [sent, code] of [
    [secret, '235'],
    [wrong, '535'],
  ]) {
    const client = await connectSmtp(server.port)
    await say(client, 'EHLO client.test')
    assert.ok((await say(client, `AUTH PLAIN ${sent}`)).startsWith(code ?? ''))
    await say(client, 'NOOP')
    await say(client, 'QUIT')
  }
  {
    const client = await connectSmtp(server.port)
    await say(client, 'EHLO client.test')
    await say(client, 'AUTH PLAIN')
    assert.ok((await say(client, secret)).startsWith('235'))
    await say(client, 'QUIT')
  }
  await explained(/AUTH PLAIN \*\*\*\*[\s\S]*AUTH PLAIN \*\*\*\*/, '--last', '5', '--json')
  for (const name of readdirSync(join(folder.path, 'spool', 'explain'))) {
    const kept = readFileSync(join(folder.path, 'spool', 'explain', name), 'utf8')
    for (const each of [secret, wrong, 'topsecret}}', 'nearlysecret', '"topsecret"']) {
      assert.equal(kept.includes(each), false, each)
    }
  }
})

test('a long session is kept in parts', async () => {
  const client = await connectSmtp(server.port)
  await say(client, 'EHLO client.test')
  for (let i = 0; i < 150; i++) {
    await say(client, 'MAIL FROM:<a@b.test>')
    await say(client, `RCPT TO:<${i === 140 ? 'bad' : 'joe'}@late.test>`)
    await say(client, 'RSET')
  }
  await say(client, 'QUIT')
  await explained(
    /part \d[\s\S]*RCPT TO:<bad@late\.test>\n {2}answered 550 not him/,
    '--rejected',
    '--last',
    '10',
  )
})

test('words of the configuration are kept once, however often they decide', async () => {
  for (let session = 0; session < 2; session++) {
    const client = await connectSmtp(server.port)
    for (let i = 0; i < 3; i++) assert.match(await say(client, 'VRFY joe@mx.test'), /^(?:252|550)/)
    await say(client, 'QUIT')
  }
  const ended = (): StoredExplanation<Definition>[] =>
    findExplanations(join(folder.path, 'spool/explain'), () => true, most, isDefinition).filter(({ steps }) =>
      Buffer.from(steps).includes('the end of the ACL'),
    )
  assert.ok(await until(() => (ended().length === 2 ? true : undefined), 5000))
  for (const { definitions } of ended())
    assert.equal(new Set(definitions.map((each) => JSON.stringify(each))).size, definitions.length)
})

test('no more than asked for is kept, for the run-time user alone', async () => {
  for (let i = 0; i < most * 3; i++) {
    const client = await connectSmtp(server.port)
    await say(client, `EHLO number${i}.test`)
    await say(client, 'QUIT')
  }
  await explained(new RegExp(`number${most * 3 - 1}\\.test`), '--last', String(most), '--json')
  const directory = join(folder.path, 'spool', 'explain')
  const entries = readdirSync(directory).reduce(
    (sum, name) =>
      sum +
      readFileSync(join(directory, name), 'latin1').split(/[0-9a-f]{12}\n(?:session|delivery)!?\n/).length -
      1,
    0,
  )
  // Each of two workers may hold a file that is not full.
  assert.ok(entries >= most && entries <= most + 2 * Math.ceil(most / 8) + 20, String(entries))
  const kept = JSON.parse(explain('--last', String(most), '--json').stdout) as unknown[]
  assert.equal(kept.length, most)
  assert.equal(statSync(directory).mode & 0o007, 0)
  for (const name of readdirSync(directory)) assert.equal(statSync(join(directory, name)).mode & 0o007, 0)
})

test('what is damaged is passed over', () => {
  const directory = join(folder.path, 'spool', 'explain')
  const names = readdirSync(directory).toSorted()
  const whole = readFileSync(join(directory, names[0] ?? ''))
  const file = join(directory, 'zz.shared.explanations')
  // A file that is cut off, another that was overwritten with a whole one behind it, and nothing but noise.
  const torn = Buffer.from(whole.subarray(0, whole.length - 30))
  const spoilt = Buffer.from(whole)
  spoilt.fill(0xff, 60, 90)
  for (const [bytes, found] of [
    [torn, true],
    [Buffer.concat([spoilt, whole]), true],
    [Buffer.from('E\t\0\0\0\0\0\0\0x\nsession\n\0\0\0\t\n'), false],
  ] as const) {
    for (const name of readdirSync(directory)) rmSync(join(directory, name))
    writeFileSync(file, bytes)
    const { status, stdout, stderr } = explain('--last', '5')
    assert.equal(status, found ? 0 : 1, stderr)
    if (found) assert.match(stdout, /=== /)
  }
})

test('a folder that may not be read is told, and as whom', needsRoot, () => {
  const other = join(folder.path, 'other-user')
  const kept = join(other, 'explain')
  mkdirSync(kept, { recursive: true })
  chmodSync(folder.path, 0o755)
  chmodSync(kept, 0o700)
  const file = join(folder.path, 'other-user.conf')
  writeFileSync(file, `spool_directory = ${other}\nexplain_store = 9\nexim_user = ${localUser}\n`)
  const ask = (uid: number): string => {
    const words = [postern, 'explain', '-C', file, '--last', '2']
    const { status, stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8', uid, gid: uid })
    assert.equal(status, 1)
    return stdout + stderr
  }
  chownSync(kept, 1, 1)
  const told = `postern explain: cannot read ${kept} as ${localUser}: permission denied; it belongs to daemon, mode 0700\n`
  assert.equal(ask(0), told)
  assert.equal(ask(65_534), told.replace(localUser, 'nobody'))
  assert.equal(
    ask(2),
    'postern explain: permission denied: this is for root, the run-time user and the members of admin_groups\n',
  )
  // The folder can be looked into, its files cannot be read.
  const one = join(kept, '1.explanations')
  writeFileSync(one, '', { mode: 0o600 })
  chownSync(one, 1, 1)
  chmodSync(kept, 0o755)
  assert.equal(ask(0), told.replace(kept, one).replace('0700', '0600'))
})

test('wrong uses are told', () => {
  assert.equal(explain('--last', '0').status, 2)
  assert.equal(explain('a', 'b').status, 2)
  const { status, stderr } = explain('1xXa4V-000000004jj-3ZNo')
  assert.equal(status, 1)
  assert.match(stderr, /no session or delivery of message 1xXa4V/)
})
