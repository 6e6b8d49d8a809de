/** The drop folder: other users write, the daemon reads. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type DroppedMessage, makeDropFolder, scanDrop, watchDrop, writeDrop } from '../src/store/drop.ts'
import { postern, startServer, temporaryFolder, until } from './support/server.ts'

const program = join(dirname(fileURLToPath(import.meta.url)), 'support', 'drop-child.js')
const user = 65_534
const missing = process.getuid?.() === 0 ? undefined : 'needs root, to be two users'
const options = { skip: missing ?? false }

function makeFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'postern-drop-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  chmodSync(folder, 0o755)
  makeDropFolder(`${folder}/drop`, { uid: 0, gid: 8 })
  return `${folder}/drop`
}

function dropAs(uid: number, folder: string, ...args: string[]): { stdout: string; stderr: string } {
  return spawnSync(process.execPath, [program, folder, ...args], {
    uid,
    gid: uid,
    encoding: 'utf8',
    cwd: '/',
  })
}

interface Seen {
  readonly uid: number
  readonly args: readonly string[]
  readonly text: string
}

function reader(seen: Seen[], lines: string[]) {
  return {
    now: Date.now,
    log: (line: string) => void lines.push(line),
    async handle(dropped: DroppedMessage) {
      const pieces: Uint8Array[] = []
      for await (const piece of dropped.message()) pieces.push(piece)
      seen.push({ uid: dropped.uid, args: dropped.submission.args, text: Buffer.concat(pieces).toString() })
      return 'taken' as const
    },
  }
}

test('the owner of the file is who submits', options, async (t) => {
  const folder = makeFolder(t)
  assert.equal(statSync(folder).mode & 0o7777, 0o3733)
  const done = dropAs(user, folder, 'bob@example.org')
  assert.equal(done.stdout, '{"is":"dropped"}\n', done.stderr)
  const [name = ''] = readdirSync(folder)
  const facts = statSync(`${folder}/${name}`)
  assert.deepEqual([facts.uid, facts.gid, facts.mode & 0o777], [user, 8, 0o640])
  const seen: Seen[] = []
  const lines: string[] = []
  assert.equal(await scanDrop(folder, reader(seen, lines)), 1)
  assert.deepEqual(seen, [{ uid: user, args: ['-i', 'bob@example.org'], text: 'Subject: dropped\n\nbody\n' }])
  assert.deepEqual(lines, [])
  assert.deepEqual(readdirSync(folder), [])
})

test('a message that cannot be taken now is kept', options, async (t) => {
  const folder = makeFolder(t)
  dropAs(user, folder, 'bob@example.org')
  const base = reader([], [])
  assert.equal(await scanDrop(folder, { ...base, handle: async () => 'later' }), 0)
  const lines: string[] = []
  const failing = {
    ...base,
    log: (line: string) => void lines.push(line),
    handle: () => Promise.reject(new Error('full')),
  }
  assert.equal(await scanDrop(folder, failing), 0)
  assert.match(lines[0] ?? '', /^drop file msg\.\w+ of user 65534 waits: full$/)
  assert.equal(await scanDrop(folder, base), 1)
})

const name = `msg.${'0'.repeat(32)}`
const tricks: { readonly says: string; readonly make: (folder: string) => void; readonly line: RegExp }[] = [
  {
    says: 'a symbolic link',
    make: (folder) => symlinkSync('/etc/passwd', `${folder}/${name}`),
    line: /is refused and removed: ELOOP/,
  },
  {
    says: 'a hard link to a file of another user',
    make(folder) {
      writeFileSync(`${folder}/../file`, '{"calledAs":"sendmail","args":[]}\nx')
      spawnSync('chown', ['65533', `${folder}/../file`])
      linkSync(`${folder}/../file`, `${folder}/${name}`)
    },
    line: /is refused and removed: it has more than one link/,
  },
  { says: 'a folder', make: (folder) => mkdirSync(`${folder}/${name}`), line: /it is not a regular file/ },
  {
    says: 'a pipe',
    make: (folder) => void spawnSync('mkfifo', [`${folder}/${name}`]),
    line: /it is not a regular file/,
  },
  {
    says: 'a file of the daemon itself',
    make: (folder) => writeFileSync(`${folder}/${name}`, '{"calledAs":"sendmail","args":[]}\nx'),
    line: /it belongs to the daemon itself/,
  },
  {
    says: 'a file that is no submission',
    make(folder) {
      writeFileSync(`${folder}/${name}`, '{"args":[1]}\n')
      spawnSync('chown', [String(user), `${folder}/${name}`])
    },
    line: /of user 65534 is not a submission and is removed/,
  },
]
for (const { says, make, line } of tricks) {
  test(`${says} in the drop folder is refused`, options, async (t) => {
    const folder = makeFolder(t)
    make(folder)
    const seen: Seen[] = []
    const lines: string[] = []
    await scanDrop(folder, reader(seen, lines))
    assert.deepEqual(seen, [])
    assert.equal(lines.length, 1)
    assert.match(lines[0] ?? '', line)
    assert.deepEqual(readdirSync(folder), [])
  })
}

test('a user with too many messages is refused until some are taken', options, async (t) => {
  const folder = makeFolder(t)
  dropAs(user, folder, 'bob@example.org', '5')
  const limits = { filesPerUser: 2, bytesPerUser: 1 << 20, minFreeBytes: 0 }
  const lines: string[] = []
  const waiting = { ...reader([], lines), limits, handle: async () => 'later' as const }
  await scanDrop(folder, waiting)
  assert.equal(lines.filter((text) => /has too many files there/.test(text)).length, 1)
  assert.match(dropAs(user, folder, 'bob@example.org').stdout, /refused.*too many of your messages wait/)
  assert.match(dropAs(user - 1, folder, 'bob@example.org').stdout, /dropped/)
  assert.equal(await scanDrop(folder, { ...reader([], []), limits }), 5)
  await scanDrop(folder, waiting)
  assert.match(dropAs(user, folder, 'bob@example.org').stdout, /dropped/)
})

test('a watched folder hands on what is dropped', options, async (t) => {
  const folder = makeFolder(t)
  const seen: Seen[] = []
  const watch = watchDrop(folder, reader(seen, []), 100)
  dropAs(user, folder, 'one@example.org')
  for (let i = 0; i < 100 && seen.length < 1; i++) await new Promise((resolve) => setTimeout(resolve, 20))
  await watch.close()
  assert.equal(seen.length, 1)
})

test('a folder that cannot be written refuses with the reason', async () => {
  async function* none(): AsyncGenerator<Uint8Array> {}
  const result = await writeDrop('/nonexistent/drop', { calledAs: 'sendmail', args: [] }, none())
  assert.ok(result.is === 'refused' && /ENOENT/.test(result.why))
})

test(
  'during a reload, when two processes look through the folder, a message is taken once',
  options,
  async () => {
    const folder = temporaryFolder('drop-reload')
    const server = await startServer({
      folder: folder.path,
      arguments: ['-q1h'],
      configuration: `primary_hostname = mta.example
acl_not_smtp = slowly
queue_only
begin acl
slowly:
  accept condition = \${run{/bin/sh -c 'sleep 3; printf yes'}}
`,
    })
    try {
      chmodSync(`${folder.path}/spool`, 0o750)
      const sent = spawnSync(postern, ['-C', server.configurationFile, '-oi', 'bob@example.org'], {
        uid: user,
        gid: user,
        encoding: 'utf8',
        cwd: '/',
        input: 'Subject: once\n\nx\n',
      })
      assert.equal(sent.status, 0, sent.stderr)
      server.process.kill('SIGHUP')
      await server.logged(/SIGHUP received(?:.*\n)+.*daemon started/, 20_000)
      await server.logged(/ <= /, 20_000)
      const dropped = `${folder.path}/spool-drop`
      await until(() => (readdirSync(dropped).length === 0 ? true : undefined), 20_000)
      await new Promise((resolve) => setTimeout(resolve, 4000))
      assert.equal(server.log().match(/ <= /g)?.length, 1, server.log())
      assert.doesNotMatch(server.log(), /ENOENT/)
    } finally {
      await server.stop()
      folder.remove()
    }
  },
)
