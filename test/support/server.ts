/** Starts the real program on a private port and folder, and ends it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository. */
export const repository: string = findRepository(dirname(fileURLToPath(import.meta.url)))
/** The program, as an administrator calls it; another one when `POSTERN_TEST_PROGRAM` names it. */
export const postern: string = process.env.POSTERN_TEST_PROGRAM ?? join(repository, 'bin', 'postern')

function findRepository(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : findRepository(dirname(folder))
}

/** A free port of 127.0.0.1: free now, so started servers should use it at once. */
export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

/** A private folder, open for the run-time user; `remove` deletes it. */
export function temporaryFolder(name: string): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), `postern-${name}-`))
  spawnSync('chmod', ['755', path])
  // What was just stopped may still write its last file.
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }) }
}

export interface StartOptions {
  /** Text of the configuration; without `spool_directory` and `log_file_path`, which are put before it. */
  readonly configuration: string
  readonly folder: string
  readonly port?: number
  readonly arguments?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  /** The program to start in place of Postern, for comparisons. */
  readonly program?: string
}

export interface StartedServer {
  readonly port: number
  readonly folder: string
  readonly configurationFile: string
  readonly process: ChildProcess
  /** What it wrote to standard output and error. */
  output(): string
  log(name?: 'main' | 'reject' | 'panic'): string
  /** Resolves when the main log matches; rejects after the limit with the log in the message. */
  logged(pattern: RegExp, limitMs?: number): Promise<RegExpExecArray>
  /** Runs the program with the same configuration: `-bp`, `-Mrm ID`. */
  command(...args: string[]): {
    readonly status: number | null
    readonly stdout: string
    readonly stderr: string
  }
  kill(signal?: NodeJS.Signals): Promise<void>
  /** SIGTERM, then SIGKILL when that does not end it. */
  stop(): Promise<void>
}

/** What follows `user = ` in a transport that these tests may use: nobody for root, else whoever runs them. */
export const localUser =
  process.getuid?.() === 0 ? 'nobody' : `${process.getuid?.()}\n  group = ${process.getgid?.()}`

/** Starts a daemon in the foreground and waits until it greets. */
export async function startServer(options: StartOptions): Promise<StartedServer> {
  const port = options.port ?? (await freePort())
  const program = options.program ?? postern
  const { folder } = options
  const configurationFile = join(folder, 'exim.conf')
  for (const each of ['spool', 'log']) {
    mkdirSync(join(folder, each), { recursive: true })
    // Started by root, servers change to run-time users of their own.
    if (process.getuid?.() === 0) chmodSync(join(folder, each), 0o777)
  }
  // An Exim looks its default port up in /etc/services, which a small machine may not have.
  const ports = options.configuration.includes('daemon_smtp_ports') ? '' : `daemon_smtp_ports = ${port}\n`
  // A configuration that says nothing of TLS is about something else; a server offers it by itself.
  const clear = options.configuration.includes('tls_') ? '' : 'tls_advertise_hosts =\n'
  // At once: whoever is called beside a restart reads a whole one.
  writeFileSync(
    `${configurationFile}.new`,
    `spool_directory = ${folder}/spool\nlog_file_path = ${folder}/log/%slog\npid_file_path = ${folder}/pid\n${ports}${clear}${options.configuration}`,
  )
  renameSync(`${configurationFile}.new`, configurationFile)
  let output = ''
  const child = spawn(
    program,
    ['-C', configurationFile, '-bdf', '-oX', `127.0.0.1.${port}`, ...(options.arguments ?? ['-q1m'])],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...options.environment }, detached: true },
  )
  child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString('latin1')))
  child.stderr.on('data', (bytes: Buffer) => (output += bytes.toString('latin1')))
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const log = (name: 'main' | 'reject' | 'panic' = 'main'): string => {
    const path = join(folder, 'log', `${name}log`)
    return existsSync(path) ? readFileSync(path, 'latin1') : ''
  }
  const signalGroup = (signal: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, signal)
    } catch {
      // It has ended already.
    }
  }
  const server: StartedServer = {
    port,
    folder,
    configurationFile,
    process: child,
    output: () => output,
    log,
    async logged(pattern, limitMs = 30_000) {
      const found = await until(() => pattern.exec(log()) ?? undefined, limitMs)
      if (found === undefined) throw new Error(`not in the main log: ${pattern}\n${log()}${output}`)
      return found
    },
    command(...args) {
      const done = spawnSync(program, ['-C', configurationFile, ...args], {
        encoding: 'latin1',
        timeout: 60_000,
      })
      return { status: done.status, stdout: done.stdout, stderr: done.stderr }
    },
    async kill(signal = 'SIGKILL') {
      signalGroup(signal)
      await ended
    },
    async stop() {
      child.kill('SIGTERM')
      const timer = setTimeout(() => signalGroup('SIGKILL'), 15_000)
      await ended
      clearTimeout(timer)
    },
  }
  const greets = await until(
    async () => (child.exitCode !== null || (await greeted(port)) ? true : undefined),
    60_000,
  )
  if (greets === undefined || child.exitCode !== null) {
    signalGroup('SIGKILL')
    throw new Error(`${program} did not start:\n${output}\n${log()}\n${log('panic')}`)
  }
  return server
}

/** Asks again until there is an answer or the time is over. */
export async function until<T>(
  ask: () => T | undefined | Promise<T | undefined>,
  limitMs: number,
): Promise<T | undefined> {
  const end = Date.now() + limitMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined || Date.now() > end) return answer
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function greeted(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.setTimeout(5000, () => socket.destroy())
    socket.once('data', (bytes) => {
      socket.end('QUIT\r\n')
      resolve(bytes.toString('latin1').startsWith('220'))
    })
    socket.once('error', () => resolve(false))
    socket.once('close', () => resolve(false))
  })
}
