/**
 * Programs of Debian packages for tests: downloaded and unpacked into a cache folder, never installed.
 *
 * The cache is `$POSTERN_TEST_CACHE`, else /var/cache/postern-test for root and `~/.cache/postern-test` for others. Libraries that the
 * machine lacks come along. Works with and without root; where apt is missing or cannot reach its archive, the
 * caller learns why and skips.
 */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'

export type Fetched = { readonly root: string } | { readonly missing: string }

const cache: string = process.env.POSTERN_TEST_CACHE ?? defaultCache()

/** A folder that programs reach after giving up root, which `~root` often is not. */
function defaultCache(): string {
  if (process.getuid?.() === 0) return '/var/cache/postern-test'
  return join(process.env.XDG_CACHE_HOME ?? join(homedir() || tmpdir(), '.cache'), 'postern-test')
}

/** The folder into which `packages` and what they need are unpacked; made at the first call. */
export function fetchDebian(packages: readonly string[]): Fetched {
  const root = join(cache, debianRelease(), packages.join('+'))
  if (existsSync(join(root, '.complete'))) return { root }
  if (spawnSync('apt-get', ['--version']).status !== 0) return { missing: 'no apt-get on this machine' }
  const work = `${root}.${process.pid}`
  mkdirSync(join(work, '.deb'), { recursive: true })
  try {
    const problem = download(packages, join(work, '.deb'))
    if (problem !== undefined) return { missing: `${packages.join(', ')}: ${problem}` }
    for (const file of readdirSync(join(work, '.deb'))) {
      const unpacked = spawnSync('dpkg-deb', ['-x', join(work, '.deb', file), work], { encoding: 'utf8' })
      if (unpacked.status !== 0) return { missing: `${file}: ${unpacked.stderr}` }
    }
    rmSync(join(work, '.deb'), { recursive: true })
    writeFileSync(join(work, '.complete'), `${packages.join('\n')}\n`)
    // Another process may have been quicker; its folder is as good.
    if (!existsSync(root)) renameSync(work, root)
    return { root }
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** Where programs of an unpacked root find their libraries. */
export function libraryPath(root: string): string {
  const triplet = spawnSync('dpkg-architecture', ['-qDEB_HOST_MULTIARCH'], {
    encoding: 'utf8',
  }).stdout?.trim()
  const triplets = [triplet, 'x86_64-linux-gnu', 'aarch64-linux-gnu'].filter(
    (each) => each !== undefined && each !== '',
  )
  return [
    'usr/lib',
    'lib',
    ...triplets.flatMap((each) => [`usr/lib/${each}`, `lib/${each}`]),
    'usr/lib/postfix',
  ]
    .map((each) => join(root, each))
    .filter((each) => existsSync(each))
    .join(':')
}

/**
 * A small script in the cache that starts a program of an unpacked root with its libraries (and, through
 * nss_wrapper, with users that the machine lacks). Its path may stand in a configuration.
 */
export function wrapper(root: string, program: string, users: Readonly<Record<string, number>> = {}): string {
  const path = join(root, `.run-${program.replaceAll('/', '_')}`)
  if (existsSync(path)) return path
  const lines = ['#!/bin/sh', `LD_LIBRARY_PATH='${libraryPath(root)}'`, 'export LD_LIBRARY_PATH']
  if (Object.keys(users).length > 0) {
    const names = Object.entries(users)
    const passwd = names
      .map(([name, id]) => `${name}:x:${id}:${id}::/nonexistent:/usr/sbin/nologin\n`)
      .join('')
    const group = names.map(([name, id]) => `${name}:x:${id}:\n`).join('')
    writeFileSync(join(root, '.passwd'), readFileSync('/etc/passwd', 'latin1') + passwd)
    writeFileSync(join(root, '.group'), readFileSync('/etc/group', 'latin1') + group)
    lines.push(
      `NSS_WRAPPER_PASSWD='${join(root, '.passwd')}' NSS_WRAPPER_GROUP='${join(root, '.group')}'`,
      'LD_PRELOAD=libnss_wrapper.so',
      'export NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP LD_PRELOAD',
    )
  }
  lines.push(`exec '${join(root, program)}' "$@"`, '')
  const fresh = `${path}.${process.pid}`
  writeFileSync(fresh, lines.join('\n'))
  chmodSync(fresh, 0o755)
  renameSync(fresh, path)
  return path
}

/** A real Exim 4.96 or later to compare with; its configuration must say `exim_path = <this path>`. */
export function fetchExim(): { readonly path: string } | { readonly missing: string } {
  const set = process.env.POSTERN_TEST_EXIM4
  if (set !== undefined && set !== '') return { path: set }
  const fetched = fetchDebian(['exim4-daemon-heavy', 'exim4-base', 'libnss-wrapper'])
  if ('missing' in fetched) return fetched
  // The unpacked program keeps its setuid bit, which would make the loader drop the library path.
  chmodSync(join(fetched.root, 'usr/sbin/exim4'), 0o755)
  return { path: wrapper(fetched.root, 'usr/sbin/exim4', { 'Debian-exim': 64_001 }) }
}

function debianRelease(): string {
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : ''
  return /^VERSION_CODENAME=(\w+)/m.exec(release)?.[1] ?? 'unknown'
}

/** Downloads the packages and those they depend on that are not installed. */
function download(packages: readonly string[], folder: string): string | undefined {
  let options = ['-o', 'APT::Sandbox::User=']
  const apt = (program: string, args: readonly string[]): { ok: boolean; text: string; problem: string } => {
    const done = spawnSync(program, [...options, ...args], {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C' },
      timeout: 300_000,
      maxBuffer: 1 << 26,
    })
    return { ok: done.status === 0, text: done.stdout, problem: done.stderr.trim().split('\n').at(-1) ?? '' }
  }
  if (!apt('apt-cache', ['show', '--no-all-versions', ...packages]).ok) {
    // No package lists, or old ones: lists of our own, in the cache.
    const state = join(cache, 'apt')
    for (const each of ['state/lists/partial', 'cache/archives/partial'])
      mkdirSync(join(state, each), { recursive: true })
    options = [
      ...options,
      ...['-o', `Dir::State=${state}/state`, '-o', `Dir::Cache=${state}/cache`],
      ...['-o', 'Dir::State::status=/var/lib/dpkg/status'],
    ]
    const update = apt('apt-get', ['update', '-q'])
    if (!update.ok) return `apt-get update failed: ${update.problem}`
  }
  const depends = apt('apt-cache', [
    'depends',
    '--recurse',
    '--important',
    ...[
      '--no-recommends',
      '--no-suggests',
      '--no-conflicts',
      '--no-breaks',
      '--no-replaces',
      '--no-enhances',
    ],
    ...packages,
  ])
  if (!depends.ok) return depends.problem
  const installed = new Set(
    spawnSync('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\n'], {
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    })
      .stdout.split('\n')
      .flatMap((line) => (line.endsWith(' installed') ? [line.split(' ', 1)[0]] : [])),
  )
  const needed = depends.text
    .split('\n')
    .filter((line) => /^[a-z0-9]/.test(line))
    .map((line) => line.trim().replace(/:.*$/, ''))
    .filter((name) => !installed.has(name) && /^(lib|perl)/.test(name))
  const wanted = [...new Set([...packages, ...needed])]
  const fetched = apt('apt-get', ['download', '-q', ...wanted])
  return fetched.ok ? undefined : `apt-get download failed: ${fetched.problem}`
}
