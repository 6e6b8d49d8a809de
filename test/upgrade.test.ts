/** A spool that an earlier Postern left, killed with mail in its queue: opened, upgraded, delivered, nothing lost. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import {
  freePort,
  localUser,
  postern,
  repository,
  startServer,
  temporaryFolder,
  until,
} from './support/server.ts'

/** Made by the program of 24 November 2026 (spool format 1), which was killed beside its worker. */
const kept = join(repository, 'test', 'testdata', 'spool-of-2026-11-24')
const folders: { remove(): void }[] = []
after(() => {
  for (const each of folders) each.remove()
})

const ids = {
  waits: '1xXac1-000000007wy-15NQ',
  halfDone: '1xXac1-000000007wy-2C3U',
  nullSender: '1xXac1-000000007wy-2FB2',
  frozen: '1xXac1-000000007wy-2JbE',
  large: '1xXac1-000000007wy-2SRb',
}

/** A copy of the kept spool, as the run-time user would own it. */
function copied(): string {
  const folder = temporaryFolder('upgrade')
  folders.push(folder)
  chmodSync(folder.path, 0o777)
  const spool = join(folder.path, 'spool')
  cpSync(kept, spool, { recursive: true })
  const owner = spawnSync('id', ['-u', 'Debian-exim'], { encoding: 'utf8' })
  const uid = process.getuid?.() === 0 ? Number(owner.status === 0 ? owner.stdout : 8) : undefined
  for (const name of ['', ...readdirSync(spool, { recursive: true, encoding: 'utf8' })]) {
    let path = join(spool, name)
    if (path.endsWith('.gz')) {
      const bytes = gunzipSync(readFileSync(path))
      rmSync(path)
      path = path.slice(0, -3)
      writeFileSync(path, bytes)
    }
    chmodSync(path, statSync(path).isDirectory() ? 0o750 : 0o640)
    if (uid !== undefined) chownSync(path, uid, uid)
  }
  return folder.path
}

const configuration = (folder: string): string => `
primary_hostname = new.example
${process.getuid?.() === 0 ? 'exim_user = ' + (spawnSync('id', ['-u', 'Debian-exim']).status === 0 ? 'Debian-exim' : 'mail') + '\n' : ''}
begin routers
all:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  file = ${folder}/box
  user = ${localUser}
begin retry
* * F,1h,15m
`

test('a queue of an earlier Postern is listed as it was, and delivered byte for byte', async () => {
  const folder = copied()
  const server = await startServer({ folder, configuration: configuration(folder), arguments: ['-q1h'] })
  try {
    const listed = await until(() => {
      const { stdout } = server.command('-bp')
      return stdout.includes(ids.frozen) ? stdout : undefined
    }, 20_000)
    assert.match(
      listed ?? '',
      new RegExp(`${ids.frozen} <c@three.test> \\*\\*\\* frozen \\*\\*\\*\\n +f@later.test`),
    )
    server.command('-qff')
    for (const id of Object.values(ids)) await server.logged(new RegExp(`${id} Completed`), 30_000)
    assert.equal(server.command('-bpc').stdout, '0\n')
    // A recipient that was done is not served again.
    assert.doesNotMatch(server.log(), /=> done/)
    const box = readFileSync(join(folder, 'box'), 'latin1')
    assert.equal(box.match(/^From /gm)?.length, 5)
    assert.ok(
      box.includes('Message-ID: <1@old.example>\n') && box.includes('\n\nfirst line\n.stuffed\n'),
      box,
    )
    assert.equal(
      box.split('a line of a large body, sixty-four characters with its line end\n').length - 1,
      1100,
    )
    assert.match(box, /^From MAILER-DAEMON /m)
    assert.equal(server.log('panic'), '')
    // The version of before wrote none; a later one will know of this one.
    assert.match(readFileSync(join(folder, 'spool/postern-versions'), 'utf8'), /^0\.1\.0 \d{4}-\S+Z\n$/)
  } finally {
    await server.stop()
  }
})

test('an upgrade that is killed at any moment loses nothing', async () => {
  const folder = copied()
  mkdirSync(join(folder, 'log'))
  chmodSync(join(folder, 'log'), 0o777)
  const file = join(folder, 'held.conf')
  const port = await freePort()
  writeFileSync(
    file,
    `spool_directory = ${folder}/spool\nlog_file_path = ${folder}/log/%slog\nqueue_only\n${configuration(folder)}`,
  )
  for (const ms of [150, 300, 450, 600, 800]) {
    const child = spawn(postern, ['-C', file, '-bdf', '-oX', `127.0.0.1.${port}`], {
      stdio: 'ignore',
      detached: true,
    })
    await new Promise((resolve) => setTimeout(resolve, ms))
    if (child.pid !== undefined)
      try {
        process.kill(-child.pid, 'SIGKILL')
      } catch {
        // It could not even start.
      }
    await new Promise((resolve) =>
      child.exitCode === null && child.signalCode === null
        ? child.once('close', resolve)
        : resolve(undefined),
    )
  }
  const listed = spawnSync(postern, ['-C', file, '-bpi'], { encoding: 'utf8' })
  assert.deepEqual(listed.stdout.trim().split('\n').sort(), Object.values(ids).sort(), listed.stderr)
})

test('a spool of a newer format is refused with a sentence, and left as it is', () => {
  const folder = copied()
  const marker = join(folder, 'spool', 'postern-spool')
  assert.equal(readFileSync(marker, 'utf8'), 'Postern spool, format 1\n')
  writeFileSync(marker, 'Postern spool, format 2\n')
  const file = join(folder, 'new.conf')
  writeFileSync(
    file,
    `spool_directory = ${folder}/spool\nlog_file_path = ${folder}/log/%slog\n${configuration(folder)}`,
  )
  const inSegments = (): string[] =>
    readdirSync(join(folder, 'spool', 'segments'), { recursive: true, encoding: 'utf8' }).sort()
  const before = inSegments()
  const { status, stderr, stdout } = spawnSync(postern, ['-C', file, '-q'], { encoding: 'utf8' })
  assert.notEqual(status, 0)
  assert.match(
    stderr + stdout,
    /has format 2 and was written by a newer Postern; this one knows formats up to 1/,
  )
  assert.deepEqual(inSegments(), before)
})

test('postern version tells what a configuration would mean otherwise', () => {
  const folder = temporaryFolder('version')
  folders.push(folder)
  const file = join(folder.path, 'conf')
  writeFileSync(
    file,
    `primary_hostname = a.example\nsmtp_accept_max = 7\ndns_retry = 3\n${configuration(folder.path)}`.replace(
      'primary_hostname = new.example',
      '',
    ),
  )
  const version = (...words: string[]): { status: number | null; out: string } => {
    const done = spawnSync(postern, ['version', ...words], { encoding: 'utf8' })
    return { status: done.status, out: done.stdout + done.stderr }
  }
  assert.match(
    version().out,
    /^Postern \d+\.\d+\.\d+ \(Exim 4\.99 configurations\)\nspool format 1, Node\.js v/,
  )
  const record = version('--record', file)
  assert.equal(record.status, 0, record.out)
  const saved = join(folder.path, 'before.json')
  writeFileSync(saved, record.out)
  const same = version('--check', file, '--against', saved)
  assert.deepEqual([same.status, same.out], [0, `${file} means the same to 0.1.0 and 0.1.0\n`])
  // As if another version had known another default, and one option more without effect.
  const old = JSON.parse(record.out) as {
    version: string
    settings: Record<string, string>
    withoutEffect: string[]
  }
  assert.equal(old.settings['main smtp_accept_max'], 'smtp_accept_max = 7')
  assert.match(old.settings['router all driver'] ?? '', /accept/)
  old.version = '0.0.9'
  old.settings['main smtp_accept_queue'] = 'smtp_accept_queue = 5'
  old.withoutEffect.push('smtp_banner')
  writeFileSync(saved, JSON.stringify(old))
  const other = version('--check', file, '--against', saved)
  assert.equal(other.status, 1)
  assert.match(
    other.out,
    /^main smtp_accept_queue: was "smtp_accept_queue = 5", is "smtp_accept_queue = 0"$/m,
  )
  assert.match(
    other.out,
    /^smtp_banner: had no effect, has one now\n2 differences between 0\.0\.9 and 0\.1\.0$/m,
  )
  assert.match(version('--check', file, '--against', file).out, /was not printed by postern version --record/)
})

test('postern version --check tells of changes since the version that ran last, or since --from', async () => {
  const folder = temporaryFolder('changes')
  folders.push(folder)
  const text =
    'acl_smtp_rcpt = accept\nhold_domains = slow.example\ntls_certificate = /etc/passwd\ncheck_log_space = 0\nprimary_hostname = a.example\n'
  const version = (...words: string[]): { status: number | null; out: string } => {
    const done = spawnSync(postern, ['version', ...words], { encoding: 'utf8' })
    return { status: done.status, out: done.stdout + done.stderr }
  }
  const file = join(folder.path, 'conf')
  writeFileSync(
    file,
    `spool_directory = ${folder.path}/spool\nlog_file_path = ${folder.path}/log/%slog\n${text}`,
  )
  const unknown = version('--check', file)
  assert.equal(unknown.status, 2)
  assert.match(unknown.out, /no version is written down in \S+spool: say --from VERSION/)
  const since = version('--check', file, '--from', '0.0.9')
  assert.equal(since.status, 1)
  assert.equal(
    since.out,
    `${file}:4: hold_domains: since 0.1.0 had no effect; now addresses in these domains wait until the option is changed\n1 change between 0.0.9 and 0.1.0\n`,
  )
  writeFileSync(file, readFileSync(file, 'utf8').replace(/tls_certificate.*\n/, ''))
  assert.match(
    version('--check', file, '--from', '0.0.9').out,
    /^\(not set\) tls_certificate: since 0\.1\.0 without it STARTTLS/m,
  )
  assert.deepEqual(version('--check', file, '--from', '0.1.0'), {
    status: 0,
    out: `${file} means the same to 0.1.0 and 0.1.0\n`,
  })
  assert.match(
    version('--check', file, '--from', 'yesterday').out,
    /--from yesterday: a version, such as 0\.1\.0/,
  )
  const server = await startServer({ folder: folder.path, configuration: configuration(folder.path) })
  await server.stop()
  assert.equal(version('--check', file).status, 0)
  // As if an older one had been here before.
  const record = join(folder.path, 'spool/postern-versions')
  writeFileSync(record, '0.0.7 2026-01-01T00:00:00.000Z\n')
  assert.match(version('--check', file).out, /changes between 0\.0\.7 and 0\.1\.0\n$/)
  const again = await startServer({ folder: folder.path, configuration: configuration(folder.path) })
  await again.logged(/Postern 0\.1\.0 takes the spool over from Postern 0\.0\.7/, 30_000)
  await again.stop()
  assert.match(readFileSync(record, 'utf8'), /^0\.0\.7 .*\n0\.1\.0 .*\n$/)
})
