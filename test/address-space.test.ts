/** A limited address space (`ulimit -v`, LimitAS of systemd): calls and a daemon work, and what is too little is said. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { connectSmtp } from './support/smtp-client.ts'
import { localUser, postern, startServer, temporaryFolder, until } from './support/server.ts'

const folder = temporaryFolder('address-space')
const at = folder.path
after(() => folder.remove())

/** Pages of 4 KiB that Node takes when it does nothing. */
const node = spawnSync(
  process.execPath,
  ['-e', "console.log(require('fs').readFileSync('/proc/self/statm', 'utf8').split(' ')[0])"],
  { encoding: 'utf8' },
).stdout
const takenKib = Number(node) * 4
const skip = takenKib > 0 ? false : 'there is no /proc here'

const configuration = `primary_hostname = mx.test
acl_smtp_rcpt = accept
tls_advertise_hosts =
begin routers
all:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  file = ${at}/box
  user = ${localUser}
`

function limited(kib: number, words: readonly string[], input = '') {
  return spawnSync('sh', ['-c', `ulimit -v ${kib}; exec "$@"`, 'sh', process.execPath, postern, ...words], {
    encoding: 'utf8',
    input,
  })
}

test('calls with 2 GB beside what Node takes', { skip }, () => {
  const file = join(at, 'exim.conf')
  writeFileSync(file, `spool_directory = ${at}/own\nlog_file_path = ${at}/own-%slog\n${configuration}`)
  const kib = takenKib + 2_000_000
  for (let n = 1; n <= 2; n++) {
    const sent = limited(kib, ['-C', file, '-odq', 'x@y.test'], 'Subject: x\n\nhi\n')
    assert.deepEqual([sent.status, sent.signal, sent.stderr], [0, null, ''])
    assert.equal(limited(kib, ['-C', file, '-bpc']).stdout, `${n}\n`)
  }
  // With too little a call ends with a word, or does not even start Node; nothing of the spool is taken for damaged.
  for (const more of [60_000, 120_000, 200_000]) {
    const { status, stderr } = limited(takenKib + more, ['-C', file, '-bpc'])
    if (status !== 0 && stderr.startsWith('postern'))
      assert.match(stderr, /MiB more of address space|gives this process no more memory/)
  }
  for (const each of ['index', 'hints'])
    assert.deepEqual(
      readdirSync(join(at, 'own', each)).filter((name) => name.startsWith('opening')),
      [],
    )
  assert.equal(limited(kib, ['-C', file, '-bpc']).stdout, '2\n')
})

test('a daemon', { skip }, async () => {
  const wrapped = join(at, 'limited')
  writeFileSync(
    wrapped,
    `#!/bin/sh\nulimit -v ${takenKib + 2_000_000}\nexec ${process.execPath} ${postern} "$@"\n`,
    { mode: 0o755 },
  )
  spawnSync('chmod', ['777', at])
  const server = await startServer({ folder: at, configuration, program: wrapped })
  try {
    const client = await connectSmtp(server.port)
    await client.say('EHLO c.test')
    assert.equal((await client.deliver('a@b.test', ['c@d.test'], 'Subject: x\r\n\r\nhi\r\n')).code, 250)
    client.end()
    assert.ok(
      await until(() => (server.log().includes('Completed') ? true : undefined), 20_000),
      server.log(),
    )
    assert.match(readFileSync(join(at, 'box'), 'utf8'), /Subject: x/)
  } finally {
    await server.stop()
  }
})
