/**
 * Promises 13 and 15 of SECURITY at a started daemon: damaged and strange files in its spool, and what users put into
 * the drop folder, are set aside and named, while everything else is delivered.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { connectSmtp } from './support/smtp-client.ts'
import { type StartedServer, startServer, temporaryFolder, until } from './support/server.ts'

const root = process.getuid?.() === 0
const configuration = (more: string): string => `primary_hostname = mx.example
qualify_domain = mx.example
host_lookup =
acl_smtp_rcpt = accept
${more}
begin routers
hole:
  driver = redirect
  data = :blackhole:
`

async function send(server: StartedServer, subject: string, bytes: number): Promise<string> {
  const client = await connectSmtp(server.port)
  await client.say('EHLO x')
  const reply = await client.deliver(
    'a@b.example',
    ['c@d.example'],
    `Subject: ${subject}\n\n${`${subject}\n`.repeat(Math.ceil(bytes / (subject.length + 1)))}`,
  )
  client.end()
  assert.equal(reply.code, 250)
  return /id=(\S+)/.exec(reply.lines.join(' '))?.[1] ?? ''
}

const filesOf = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())

test('P15: damaged and strange files in the spool are set aside and named; all other messages are delivered', async () => {
  const folder = temporaryFolder('security-spool')
  const spool = join(folder.path, 'spool')
  try {
    const first = await startServer({
      folder: folder.path,
      arguments: [],
      configuration: configuration('queue_only'),
    })
    const small: string[] = []
    for (let i = 0; i < 6; i++) small.push(await send(first, `small${i}word`, 200))
    const large = [
      await send(first, 'largecut', 300_000),
      await send(first, 'largegone', 300_000),
      await send(first, 'largegood', 300_000),
    ]
    await first.kill()
    // A flipped byte in a record, a body that is cut, a body that is gone; no index any more.
    for (const path of filesOf(spool)) {
      const bytes = readFileSync(path)
      const at = bytes.indexOf('small2word')
      if (at >= 0 && path.includes('segments')) {
        bytes[at] = 0x53
        writeFileSync(path, bytes)
      }
      if (bytes.indexOf('largecut\n'.repeat(3)) >= 0) truncateSync(path, 100_000)
      if (bytes.indexOf('largegone\n'.repeat(3)) >= 0) rmSync(path)
    }
    rmSync(join(spool, 'index'), { recursive: true, force: true })
    // Strange files in every folder.
    for (const place of [
      spool,
      ...readdirSync(spool, { withFileTypes: true })
        .filter((one) => one.isDirectory())
        .map((one) => join(spool, one.name)),
    ]) {
      writeFileSync(join(place, 'core'), Buffer.alloc(10_000, 0xff))
      writeFileSync(join(place, '0123456789abcdef'), 'no segment')
      writeFileSync(join(place, '1xXhht-000000000AA-0AAA-H'), 'no header\n')
      symlinkSync('/etc/passwd', join(place, 'fedcba9876543210'))
      symlinkSync('nowhere', join(place, 'nowhere'))
      mkdirSync(join(place, 'aaaaaaaaaaaaaaaa'))
      spawnSync('mkfifo', [join(place, 'bbbbbbbbbbbbbbbb')])
    }
    spawnSync('chmod', ['-R', 'a+rwX', spool])
    const server = await startServer({
      folder: folder.path,
      arguments: ['-q1s'],
      configuration: configuration(''),
    })
    try {
      const good = [...small.filter((_, i) => i !== 2), large[2] ?? '']
      for (const id of good) await server.logged(new RegExp(`${id} Completed`), 15_000)
      for (const id of [small[2], large[0], large[1]]) {
        await server.logged(new RegExp(`${id}.*(?:damaged|set aside|missing|body)`), 15_000)
        assert.doesNotMatch(server.log(), new RegExp(`${id} (?:=>|Completed)`))
      }
      // New mail goes through.
      const id = await send(server, 'afterwards', 100)
      await server.logged(new RegExp(`${id} Completed`))
      assert.doesNotMatch(server.log() + server.log('panic'), /unexpected error|root:x:0/)
    } finally {
      await server.stop()
    }
  } finally {
    folder.remove()
  }
})

test('P13: what users put into the drop folder is taken only when it is theirs and a submission', {
  skip: root ? false : 'needs root, to be two users',
}, async () => {
  const folder = temporaryFolder('security-drop')
  const victim = join(folder.path, 'victim')
  try {
    const server = await startServer({
      folder: folder.path,
      arguments: ['-q1m'],
      configuration: configuration('trusted_users = root'),
    })
    try {
      const drop = join(folder.path, 'spool-drop')
      assert.equal(statSync(drop).mode & 0o7777, 0o3733)
      const name = (n: number): string => join(drop, `msg.${String(n).padStart(32, '0')}`)
      const text = (args: readonly string[], message = 'Subject: x\n\nx\n'): string =>
        `${JSON.stringify({ calledAs: 'sendmail', args })}\n${message}`
      const nobody = (path: string): void => void spawnSync('chown', ['65534:65534', path])
      const put = (n: number, content: string): void => {
        const unfinished = join(drop, `tmp.${String(n).padStart(32, '0')}`)
        writeFileSync(unfinished, content)
        nobody(unfinished)
        spawnSync('mv', [unfinished, name(n)])
      }
      writeFileSync(victim, text(['stolen@x.example']))
      spawnSync('chown', ['65533', victim])
      symlinkSync('/etc/passwd', name(1))
      symlinkSync(victim, name(2))
      linkSync(victim, name(3))
      spawnSync('mkfifo', [name(4)])
      mkdirSync(name(5))
      put(6, '{"args":[1]}\n')
      put(7, `${'['.repeat(500_000)}\nx`)
      put(8, `{"calledAs":"sendmail","args":["${'a'.repeat(2_000_000)}"]}\nx`)
      put(9, 'no line end')
      put(10, Buffer.alloc(1_000_000, 0xff).toString('latin1'))
      // What a user may not do with sendmail, they may not do by hand.
      put(11, text(['-C', '/etc/passwd', 'c@x.example']))
      put(12, text(['-be', '${run{/usr/bin/touch ' + victim + '2}}']))
      put(13, text(['-bd']))
      put(14, text(['-f', 'forged@bank.example', 'f@x.example']))
      put(15, text(['-oMr', 'forged', '-oMa', '192.0.2.1', 'o@x.example']))
      put(16, text(['-t'], 'To: ${run{/usr/bin/touch ' + victim + '2}}@x.example\nSubject: x\n\nx\n'))
      put(17, text(['-Mrm', '1xXhht-000000000AA-0AAA']))
      // At last one that is in order.
      put(18, text(['-i', 'good@x.example'], 'Subject: good\n\n.\nx\n'))
      const kick = spawnSync('touch', [join(drop, 'tmp.kick')])
      assert.equal(kick.status, 0)
      await server.logged(/=> :blackhole: <good@x\.example>/, 20_000)
      await until(
        () => (readdirSync(drop).every((each) => !each.startsWith('msg.')) ? true : undefined),
        10_000,
      )
      assert.deepEqual(
        readdirSync(drop).filter((each) => each.startsWith('msg.')),
        [],
      )
      const log = server.log()
      assert.doesNotMatch(
        log,
        /stolen@x|root:x:0|forged@bank\.example H=|<= forged@bank|P=forged|H=\S* ?\[192\.0\.2\.1\]/,
      )
      assert.equal(existsSync(`${victim}2`), false)
      assert.equal(readFileSync(victim, 'latin1'), text(['stolen@x.example']))
      for (const n of [1, 2, 3, 4, 5])
        assert.match(log, new RegExp(`drop file msg\\.0*${n} .*is refused and removed`))
    } finally {
      await server.stop()
    }
  } finally {
    folder.remove()
  }
})
