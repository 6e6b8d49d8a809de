/** Queues go from Exim to Postern and back, with a real Exim at both ends. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { createAccounts } from '../src/base/accounts.ts'
import { exportSpool, importSpool, openSpool, type Spool } from '../src/store/spool/index.ts'

const exim = process.env.POSTERN_TEST_EXIM4 ?? '/usr/sbin/exim4'
// An unpacked Exim has its user from a wrapper: see `fetchExim`.
const unpacked = { uid: 64_001, gid: 64_001 }
const user = exim === '/usr/sbin/exim4' ? createAccounts().byName('Debian-exim') : unpacked
const missing =
  process.getuid?.() !== 0 ? 'needs root' : existsSync(exim) && user !== undefined ? undefined : 'needs exim4'
const options = missing === undefined ? {} : { skip: missing }

/** A private Exim: configuration and spool below `folder`. */
function makeExim(t: TestContext): { folder: string; run(args: string[], input?: string): string } {
  const folder = mkdtempSync(join(tmpdir(), 'postern-exim-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  chmodSync(folder, 0o755)
  for (const name of ['spool', 'log']) {
    mkdirSync(`${folder}/${name}`)
    if (user !== undefined) chownSync(`${folder}/${name}`, user.uid, user.gid)
  }
  writeFileSync(
    `${folder}/exim.conf`,
    `exim_path = ${exim}
spool_directory = ${folder}/spool
log_file_path = ${folder}/log/%slog
primary_hostname = mail.test.example
trusted_users = root
keep_environment =
dsn_advertise_hosts = *
acl_smtp_rcpt = acl_rcpt
begin acl
acl_rcpt:
  accept set acl_c_foo = connection
         set acl_m_bar = $sender_address
`,
    { mode: 0o644 },
  )
  return {
    folder,
    run(args, input = '') {
      const done = spawnSync(exim, ['-C', `${folder}/exim.conf`, ...args], { input, encoding: 'latin1' })
      return done.stdout + done.stderr
    },
  }
}

async function makeSpool(t: TestContext): Promise<Spool> {
  const directory = mkdtempSync(join(tmpdir(), 'postern-spool-'))
  const spool = await openSpool({ directory, now: Date.now, log: () => {}, messageIdForm: 'short' })
  t.after(async () => {
    await spool.close()
    rmSync(directory, { recursive: true, force: true })
  })
  return spool
}

test('an Exim queue is taken over and handed back without a change', options, async (t) => {
  const from = makeExim(t)
  from.run(
    ['-odq', '-f', 's@b.example', 'x@test.example', 'y@test.example'],
    'Subject: one\n\nbody \xe9\nsecond\n',
  )
  from.run(
    [
      '-odq',
      '-oMa',
      '192.0.2.7.1234',
      '-oMs',
      'client.example',
      '-oMr',
      'esmtp',
      '-f',
      '<>',
      'x@test.example',
    ],
    'From: a@b.example\n\nbody\n',
  )
  const session = [
    'EHLO client.test',
    'MAIL FROM:<s@b.example> RET=HDRS ENVID=a+2Bc',
    'RCPT TO:<p@test.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;p@test.example',
    'RCPT TO:<q@test.example>',
    'DATA',
    `Subject: large\r\n\r\n${'a line of the body\r\n'.repeat(10_000)}.`,
    'QUIT',
    '',
  ]
  from.run(['-odq', '-bs'], session.join('\r\n'))
  const ids = readdirSync(`${from.folder}/spool/input`)
    .filter((name) => name.endsWith('-H'))
    .map((name) => name.slice(0, -2))
  assert.equal(ids.length, 3)
  from.run(['-Mf', ids[0] ?? ''])
  from.run(['-Mmd', ids[0] ?? '', 'x@test.example'])

  const spool = await makeSpool(t)
  const taken = await importSpool(spool, `${from.folder}/spool`)
  assert.deepEqual(taken, { messages: 3, problems: [] })
  assert.equal(spool.entry(ids[0] ?? '')?.frozen, true)
  const again = await importSpool(spool, `${from.folder}/spool`)
  assert.equal(again.problems.length, 3)

  const to = makeExim(t)
  rmSync(`${to.folder}/spool/input`, { recursive: true, force: true })
  const given = await exportSpool(spool, `${to.folder}/spool`)
  assert.deepEqual(given, { messages: 3, problems: [] })
  spawnSync('chown', ['-R', `${user?.uid}:${user?.gid}`, `${to.folder}/spool`])
  assert.equal(to.run(['-bp']), from.run(['-bp']))
  for (const id of ids) {
    assert.equal(to.run(['-Mvb', id]), from.run(['-Mvb', id]), id)
    assert.equal(to.run(['-Mvc', id]), from.run(['-Mvc', id]), id)
    // Exim's clock has microseconds and Postern keeps milliseconds; whether a trusted user's word counts as
    // tainted is not kept.
    const [ours, theirs] = [to, from].map((side) =>
      side
        .run(['-Mvh', id])
        .replaceAll(/^(-received_time_\w+ \d*\.\d{3})\d+$/gm, '$1')
        .replaceAll(/^--(?=\w)/gm, '-')
        .split('\n')
        .sort(),
    )
    assert.deepEqual(ours, theirs, id)
  }
})

test('files that are no messages are named and the others are taken', options, async (t) => {
  const from = makeExim(t)
  for (let i = 0; i < 3; i++)
    from.run(['-odq', '-f', 's@b.example', 'x@test.example'], 'Subject: x\n\nbody\n')
  const input = `${from.folder}/spool/input`
  const [first = '', second = ''] = readdirSync(input).filter((name) => name.endsWith('-H'))
  writeFileSync(`${input}/${first}`, 'garbage')
  rmSync(`${input}/${second.replace('-H', '-D')}`)
  const spool = await makeSpool(t)
  const taken = await importSpool(spool, `${from.folder}/spool`, { remove: true })
  assert.equal(taken.messages, 1)
  assert.deepEqual(
    taken.problems.map(({ why }) => why),
    ['its first line is not the name of an -H file', 'its -D file is missing'],
  )
  assert.equal(readdirSync(input).length, 3)
})
