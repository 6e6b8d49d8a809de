/** Real database servers for tests: fetched, never installed; on private ports and sockets, as a user without rights. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fetchDebian, libraryPath, type Fetched } from './debian.ts'
import { freePort } from './server.ts'

/** `nobody` of Debian: PostgreSQL and MariaDB refuse to run as root. */
const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}

export interface Database {
  readonly port: number
  readonly folder: string
  /** Its Unix-domain socket. */
  readonly socket: string
  readonly process: ChildProcess
  /** What it wrote. */
  output(): string
  stop(): Promise<void>
}

interface Program {
  readonly root: string
  readonly path: string
}

function program(fetched: Fetched, path: string): Program | { readonly missing: string } {
  return 'missing' in fetched ? fetched : { root: fetched.root, path: join(fetched.root, path) }
}

function environment(root: string): NodeJS.ProcessEnv {
  return { ...process.env, LD_LIBRARY_PATH: libraryPath(root), LC_ALL: 'C', HOME: '/nonexistent' }
}

function privateFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `postern-${name}-`))
  chmodSync(folder, 0o755)
  if (nobody.uid !== undefined) chownSync(folder, nobody.uid, nobody.gid)
  return folder
}

async function started(
  what: Program,
  args: readonly string[],
  place: { readonly port: number; readonly folder: string; readonly socket: string },
  /** What it writes when it serves, where it accepts connections before that. */
  ready = /^/,
): Promise<Database> {
  const child = spawn(what.path, args, {
    ...nobody,
    cwd: place.folder,
    env: environment(what.root),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString('latin1')))
  child.stderr.on('data', (bytes: Buffer) => (output += bytes.toString('latin1')))
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const deadline = Date.now() + 20_000
  while (!ready.test(output) || !(await answers(place.port))) {
    if (child.exitCode !== null || Date.now() > deadline)
      throw new Error(`${what.path} did not start: ${output}`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  return {
    ...place,
    process: child,
    output: () => output,
    async stop() {
      // A stopped process must be continued before it can end.
      child.kill('SIGCONT')
      child.kill('SIGKILL')
      await ended
      rmSync(place.folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

/** `redis-server`, else why there is none. */
export function fetchRedis(): Program | { readonly missing: string } {
  return program(fetchDebian(['redis-tools', 'redis-server']), 'usr/bin/redis-server')
}

export interface RedisOptions {
  readonly port?: number
  /** More lines of its configuration, as arguments: `['--requirepass', 'secret']`. */
  readonly arguments?: readonly string[]
}

export async function startRedis(what: Program, options: RedisOptions = {}): Promise<Database> {
  const folder = privateFolder('redis')
  const port = options.port ?? (await freePort())
  const socket = join(folder, 'redis.sock')
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--unixsocket', socket]
  args.push('--unixsocketperm', '777', '--save', '', '--appendonly', 'no', '--dir', folder)
  return started(what, [...args, ...(options.arguments ?? [])], { port, folder, socket })
}

/** `redis-sentinel` is the same program under another mode. */
export async function startSentinel(what: Program, file: string, port: number): Promise<Database> {
  const folder = privateFolder('sentinel')
  return started(what, [file, '--sentinel'], { port, folder, socket: '' })
}

export function fetchPostgres(): Program | { readonly missing: string } {
  return program(fetchDebian(['postgresql-15', 'postgresql-client-15']), 'usr/lib/postgresql/15/bin/postgres')
}

/** A fresh PostgreSQL, superuser `mail` with the password `secret`, database `postgres`. */
export async function startPostgres(what: Program): Promise<Database> {
  const folder = privateFolder('pgsql')
  const data = join(folder, 'data')
  const passwordFile = join(folder, 'password')
  writeFileSync(passwordFile, 'secret\n')
  const made = spawnSync(
    join(what.root, 'usr/lib/postgresql/15/bin/initdb'),
    [
      '-D',
      data,
      '-U',
      'mail',
      '--no-sync',
      '-E',
      'UTF8',
      '--locale=C',
      '--auth=scram-sha-256',
      `--pwfile=${passwordFile}`,
      '-L',
      join(what.root, 'usr/share/postgresql/15'),
    ],
    { ...nobody, cwd: folder, env: environment(what.root), encoding: 'utf8' },
  )
  if (made.status !== 0) throw new Error(`initdb: ${made.stderr}${made.stdout}`)
  const port = await freePort()
  const args = ['-D', data, '-p', String(port), '-k', folder, '-h', '127.0.0.1', '-F']
  return started(
    what,
    [...args, '-c', 'shared_buffers=8MB', '-c', 'timezone=UTC'],
    { port, folder, socket: join(folder, `.s.PGSQL.${port}`) },
    /ready to accept connections/,
  )
}

export function fetchMariadb(): Program | { readonly missing: string } {
  return program(
    fetchDebian(['mariadb-server-core', 'mariadb-server', 'mariadb-client-core']),
    'usr/sbin/mariadbd',
  )
}

/** A fresh MariaDB, user `mail` with the password `secret` and every right, database `mail`. */
export async function startMariadb(what: Program): Promise<Database> {
  const folder = privateFolder('mysql')
  const data = join(folder, 'data')
  mkdirSync(data)
  if (nobody.uid !== undefined) chownSync(data, nobody.uid, nobody.gid)
  const share = join(what.root, 'usr/share/mysql')
  const common = ['--no-defaults', `--datadir=${data}`, `--lc-messages-dir=${share}`, `--tmpdir=${folder}`]
  common.push(`--character-sets-dir=${share}/charsets`, '--innodb-buffer-pool-size=8M')
  common.push('--innodb-flush-log-at-trx-commit=0', '--aria-log-file-size=8M', '--innodb-log-file-size=4M')
  const scripts = ['mysql_system_tables.sql', 'mysql_system_tables_data.sql']
  const sql = scripts.map((each) => readFileSync(join(share, each), 'utf8')).join('\n')
  const made = spawnSync(what.path, [...common, '--bootstrap', '--log-warnings=0'], {
    ...nobody,
    cwd: folder,
    env: environment(what.root),
    input: [
      'create database mysql;\nuse mysql;\n',
      sql,
      '\nflush privileges;\ncreate database mail character set utf8mb4;\n',
      "create user mail@'%' identified by 'secret';\ngrant all privileges on *.* to mail@'%' with grant option;\n",
    ].join(''),
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  })
  if (made.status !== 0) throw new Error(`mariadbd --bootstrap: ${made.stderr}${made.stdout}`)
  const port = await freePort()
  const socket = join(folder, 'mysql.sock')
  const args = [`--port=${port}`, '--bind-address=127.0.0.1', `--socket=${socket}`]
  return started(what, [...common, ...args, `--pid-file=${folder}/pid`, '--skip-name-resolve'], {
    port,
    folder,
    socket,
  })
}

export function fetchSlapd(): Program | { readonly missing: string } {
  return program(fetchDebian(['slapd', 'ldap-utils']), 'usr/sbin/slapd')
}

/** A fresh OpenLDAP with the entries of an LDIF file below `o=base`; `cn=root,o=base` has the password `secret`. */
export async function startSlapd(
  what: Program,
  ldif: string,
  tls?: { readonly certificate: string; readonly key: string },
): Promise<Database> {
  const folder = privateFolder('slapd')
  const socket = join(folder, 'ldapi')
  const port = await freePort()
  const schemas = ['core', 'cosine', 'inetorgperson'].map(
    (name) => `include ${what.root}/etc/ldap/schema/${name}.schema`,
  )
  const lines = [
    ...schemas,
    `modulepath ${what.root}/usr/lib/ldap`,
    'moduleload back_mdb',
    ...(tls === undefined
      ? []
      : [`TLSCertificateFile ${tls.certificate}`, `TLSCertificateKeyFile ${tls.key}`]),
    'database mdb',
    'suffix "o=base"',
    'rootdn "cn=root,o=base"',
    'rootpw secret',
    `directory ${folder}`,
    'maxsize 10485760',
  ]
  const configuration = join(folder, 'slapd.conf')
  writeFileSync(configuration, `${lines.join('\n')}\n`)
  const data = join(folder, 'data.ldif')
  writeFileSync(data, ldif)
  // Both are one program, which looks at its name.
  const made = spawnSync(join(what.root, 'usr/sbin/slapadd'), ['-f', configuration, '-l', data], {
    ...nobody,
    env: environment(what.root),
    encoding: 'utf8',
    argv0: 'slapadd',
  })
  if (made.status !== 0) throw new Error(`slapadd: ${made.stderr}${made.stdout}`)
  const urls = `ldap://127.0.0.1:${port} ldapi://${encodeURIComponent(socket)}`
  return started(what, ['-f', configuration, '-h', urls, '-d', '0'], { port, folder, socket })
}
