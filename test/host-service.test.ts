/** Postern as a service of a host: install and uninstall into a folder, what systemd is told, health. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fetchDebian, wrapper } from './support/debian.ts'
import {
  freePort,
  postern,
  repository,
  type StartedServer,
  startServer,
  temporaryFolder,
  until,
} from './support/server.ts'

function run(...words: string[]): { status: number | null; out: string; err: string } {
  const done = spawnSync(postern, words, { encoding: 'utf8', timeout: 60_000 })
  return { status: done.status, out: done.stdout, err: done.stderr }
}

/** All files under a folder, with what they hold or where they point. */
function tree(folder: string): Record<string, string> {
  const found: Record<string, string> = {}
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    const path = join(folder, name)
    const stat = lstatSync(path)
    found[name] = stat.isSymbolicLink()
      ? `-> ${readlinkSync(path)}`
      : stat.isFile()
        ? readFileSync(path, 'utf8')
        : `folder ${(stat.mode & 0o7777).toString(8)}`
  }
  return found
}

/** A root with another mail system in it. */
function otherRoot(path: string): void {
  for (const each of [
    'etc/systemd/system',
    'etc/logrotate.d',
    'usr/local/sbin',
    'usr/sbin',
    'usr/bin',
    'usr/lib',
    'var/lib',
    'var/log',
    'var/spool',
  ])
    mkdirSync(join(path, each), { recursive: true })
  writeFileSync(join(path, 'usr/sbin/sendmail'), 'the other sendmail\n', { mode: 0o755 })
  writeFileSync(join(path, 'usr/bin/mailq'), 'the other mailq\n', { mode: 0o755 })
  writeFileSync(join(path, 'usr/sbin/exiqgrep'), 'the other exiqgrep\n', { mode: 0o755 })
}

test('a dry run says each step and does nothing', () => {
  const root = temporaryFolder('install')
  try {
    otherRoot(root.path)
    const before = tree(root.path)
    const { status, out } = run('install', '--prefix', root.path, '--as-sendmail', '--dry-run')
    assert.equal(status, 0)
    assert.match(out, /^would make the folder \/var\/spool\/postern \(mode 0750, of postern\)$/m)
    assert.match(out, /^would write \/etc\/systemd\/system\/postern.service: the systemd unit$/m)
    assert.match(
      out,
      /^would link \/usr\/sbin\/sendmail to .*; what has that name now moves to \/usr\/sbin\/sendmail.before-postern$/m,
    )
    assert.deepEqual(tree(root.path), before)
  } finally {
    root.remove()
  }
})

test('install, again, uninstall and purge leave every file of before as it was', () => {
  const root = temporaryFolder('install')
  try {
    otherRoot(root.path)
    const before = tree(root.path)
    const first = run('install', '--prefix', root.path, '--as-sendmail')
    assert.equal(first.status, 0, first.err)
    const made = tree(root.path)
    assert.match(made['usr/sbin/sendmail'] ?? '', /^-> .*bin\/postern$/)
    assert.equal(made['usr/sbin/sendmail.before-postern'], 'the other sendmail\n')
    // A name that is free is taken, one that another program has is left without --as-exim.
    assert.match(made['usr/sbin/exinext'] ?? '', /^-> .*bin\/postern$/)
    assert.equal(made['usr/sbin/exiqgrep'], 'the other exiqgrep\n')
    assert.equal(made['usr/sbin/exim'], undefined)
    assert.equal(made['var/spool/postern-drop'], 'folder 3733')
    assert.equal(run('check', join(root.path, 'etc/postern/postern.conf')).status, 0)

    assert.match(
      run('install', '--prefix', root.path, '--as-sendmail').out,
      /^nothing to do: all is in place$/m,
    )
    assert.deepEqual(tree(root.path), made)

    const gone = run('uninstall', '--prefix', root.path)
    assert.equal(gone.status, 0, gone.err)
    assert.match(gone.out, /^put \/usr\/sbin\/sendmail.before-postern back as \/usr\/sbin\/sendmail: done$/m)
    assert.match(gone.out, /^kept: .*\/var\/spool\/postern,/m)
    assert.ok(existsSync(join(root.path, 'etc/postern/postern.conf')))
    assert.ok(!existsSync(join(root.path, 'etc/systemd/system/postern.service')))
    assert.equal(run('uninstall', '--prefix', root.path, '--purge').status, 0)
    assert.deepEqual(tree(root.path), before)
  } finally {
    root.remove()
  }
})

test('with --as-exim the names of Exim and its programs are ours, and come back', () => {
  const root = temporaryFolder('install')
  try {
    otherRoot(root.path)
    const before = tree(root.path)
    assert.equal(run('install', '--prefix', root.path, '--as-exim').status, 0)
    const made = tree(root.path)
    for (const name of ['exim', 'exim4', 'exiqgrep', 'exiwhat', 'exipick', 'exim_dumpdb', 'runq', 'rsmtp'])
      assert.match(made[`usr/sbin/${name}`] ?? '', /^-> .*bin\/postern$/, name)
    assert.equal(made['usr/sbin/exiqgrep.before-postern'], 'the other exiqgrep\n')
    // Called by its name the link is that program.
    const help = spawnSync(join(root.path, 'usr/sbin/exiqgrep'), ['-h'], { encoding: 'utf8' })
    assert.match(help.stdout, /^Exim message queue display utility/)
    assert.equal(run('uninstall', '--prefix', root.path, '--purge').status, 0)
    assert.deepEqual(tree(root.path), before)
  } finally {
    root.remove()
  }
})

test('a unit or a configuration that was changed by hand is left alone', () => {
  const root = temporaryFolder('install')
  try {
    otherRoot(root.path)
    run('install', '--prefix', root.path)
    const unit = join(root.path, 'etc/systemd/system/postern.service')
    writeFileSync(unit, '# mine\n')
    assert.match(
      run('install', '--prefix', root.path).out,
      /^leave \/etc\/systemd\/system\/postern.service as it is: it was changed by hand/m,
    )
    assert.equal(readFileSync(unit, 'utf8'), '# mine\n')
    run('uninstall', '--prefix', root.path)
    assert.equal(readFileSync(unit, 'utf8'), '# mine\n')
  } finally {
    root.remove()
  }
})

test('uninstall where nothing was installed says so', () => {
  const root = temporaryFolder('install')
  try {
    const { status, err } = run('uninstall', '--prefix', root.path)
    assert.equal(status, 1)
    assert.match(err, /nothing was installed here/)
  } finally {
    root.remove()
  }
})

test('systemd finds no fault with the unit, and little that could be taken away', (t) => {
  const systemd = fetchDebian(['systemd'])
  if ('missing' in systemd) return t.skip(systemd.missing)
  const root = temporaryFolder('unit')
  try {
    run('install', '--prefix', root.path)
    const unit = join(root.path, 'etc/systemd/system/postern.service')
    const analyze = (...words: string[]): { status: number | null; text: string } => {
      const done = spawnSync(wrapper(systemd.root, 'usr/bin/systemd-analyze'), [...words, unit], {
        encoding: 'utf8',
        env: { ...process.env, SYSTEMD_UNIT_PATH: `${root.path}:` },
      })
      return { status: done.status, text: done.stdout + done.stderr }
    }
    const verified = analyze('verify')
    const ours = verified.text.split('\n').filter((line) => line.includes('postern.service'))
    // A machine without man pages of its own has no postern(8) either.
    assert.deepEqual(
      ours.filter((line) => !line.includes('man:postern(8)') && !line.includes('man postern(8)')),
      [],
    )
    const exposure = /exposure level for \S+: ([\d.]+)/.exec(analyze('security', '--offline=yes').text)?.[1]
    assert.ok(Number(exposure) < 5.5, `exposure ${exposure}`)
  } finally {
    root.remove()
  }
})

test('systemd is told when the daemon listens, and when it ends', async (t) => {
  const socat = fetchDebian(['socat'])
  if ('missing' in socat) return t.skip(socat.missing)
  const folder = temporaryFolder('notify')
  let told = ''
  let server: StartedServer | undefined
  const socket = join(folder.path, 'notify')
  const receiver = spawn(wrapper(socat.root, 'usr/bin/socat'), ['-u', `UNIX-RECV:${socket},mode=777`, '-'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  receiver.stdout.on('data', (bytes: Buffer) => (told += bytes.toString()))
  try {
    assert.ok(await until(() => existsSync(socket) || undefined, 10_000))
    server = await startServer({
      configuration: 'primary_hostname = h.example\n',
      folder: folder.path,
      environment: { NOTIFY_SOCKET: socket },
    })
    assert.ok(await until(() => told.includes('READY=1') || undefined, 10_000), told)
    assert.match(told, new RegExp(`MAINPID=${server.process.pid}`))
    server.process.kill('SIGTERM')
    assert.ok(await until(() => told.includes('STOPPING=1') || undefined, 10_000), told)
  } finally {
    await server?.kill()
    receiver.kill()
    folder.remove()
  }
})

test('health: one line and an exit code', async () => {
  const folder = temporaryFolder('health')
  const server = await startServer({ configuration: 'primary_hostname = h.example\n', folder: folder.path })
  try {
    const well = run('health', '-C', server.configurationFile, '--address', `127.0.0.1:${server.port}`)
    assert.match(
      well.out,
      new RegExp(`^healthy: 127\\.0\\.0\\.1:${server.port} answers 220 \\(\\d+ ms\\)\\n$`),
    )
    assert.equal(well.status, 0)
    // The configuration tells the port, and all addresses; it was started on one of them.
    assert.equal(run('health', '-C', server.configurationFile).status, 0)
    await server.stop()
    const dead = run('health', '-C', server.configurationFile)
    assert.equal(dead.status, 1)
    assert.match(dead.out, /^unhealthy: .*:\d+ Connection refused/)
    assert.equal(run('health', '--address', 'nonsense').status, 2)
    const nobody = run('health', '--address', `127.0.0.1:${await freePort()}`)
    assert.match(nobody.out, /^unhealthy: .* Connection refused/)
  } finally {
    await server.kill()
    folder.remove()
  }
})

test('npm pack gives a package that "npm install -g" alone makes run', { timeout: 300_000 }, (t) => {
  const folder = temporaryFolder('pack')
  try {
    const npm = (...words: string[]): { status: number | null; out: string; err: string } => {
      const done = spawnSync('npm', [...words, '--ignore-scripts', '--no-audit', '--no-fund'], {
        cwd: repository,
        encoding: 'utf8',
        timeout: 240_000,
      })
      return { status: done.status, out: done.stdout, err: done.stderr }
    }
    const packed = npm('pack', '--json', '--pack-destination', folder.path)
    assert.equal(packed.status, 0, packed.err)
    const [made] = JSON.parse(packed.out) as [
      { filename: string; unpackedSize: number; files: { path: string }[] },
    ]
    assert.ok(made.unpackedSize < 12_000_000, `${made.unpackedSize} bytes`)
    const development = made.files.filter(({ path }) =>
      /\.test\.|^(src|test|bench)\/|tsconfig|biome/.test(path),
    )
    assert.deepEqual(development, [])
    const prefix = join(folder.path, 'usr')
    const done = npm('install', '--global', '--prefix', prefix, join(folder.path, made.filename))
    if (done.status !== 0) return t.skip(`npm cannot install here: ${done.err.trim().split('\n')[0]}`)
    const said = spawnSync(
      join(prefix, 'bin', 'postern'),
      ['-C', join(repository, 'container/postern.conf'), '-bV'],
      {
        encoding: 'utf8',
        cwd: folder.path,
      },
    )
    assert.match(said.stdout, /^Postern version \d+\.\d+\.\d+/)
  } finally {
    folder.remove()
  }
})
