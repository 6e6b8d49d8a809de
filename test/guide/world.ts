/**
 * A machine of its own for one page: its own /etc, /var, /home, /run and network, over those of this machine. A walk
 * runs inside as root; what it does is gone with it.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { connect, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import type { Fetched } from '../support/debian.ts'
import { type DnsServer, startDnsServer, type Zone } from '../support/dns-server.ts'
import { postern, repository, until } from '../support/server.ts'
import { type Sink, type SinkScript, startSink } from '../support/smtp-sink.ts'
import { assertShown, type Changing, commandOf, commandsOf, lineOf, type Page } from './page.ts'

export const waitMs = 60_000

export interface Walk {
  /** The name of this host; left out: mx.example.org. */
  readonly hostname?: string
  /** Packages, fetched while there is a network. */
  readonly needs?: readonly (() => Fetched | { readonly path: string })[]
  walk(page: Page): Promise<void>
}

/** Words of `unshare` for a machine of one's own. */
export const namespaces = ['--mount', '--uts', '--net', '--pid', '--fork', '--kill-child', '--mount-proc']

/** Runs in a shell inside the namespaces, before Node does. */
export const enter = `set -e
box=$(mktemp -d)
mount -t tmpfs -o mode=755 tmpfs "$box"
for each in /etc /var /home /root /srv /usr '${repository}'; do
  mkdir -p "$box$each/upper" "$box$each/work" "$each"
  mount -t overlay overlay -o "lowerdir=$each,upperdir=$box$each/upper,workdir=$box$each/work" "$each"
done
mount -t tmpfs -o mode=755 tmpfs /run
ip link set lo up
# Ports of servers must not be given to clients: who asks a closed port from that very port is answered by itself.
echo 50000 60999 > /proc/sys/net/ipv4/ip_local_port_range
# Addresses that are answered here and are on no interface: other hosts, to our program.
for each in 192.0.2.0/24 198.51.100.0/24 203.0.113.0/24; do
  ip route add local $each dev lo
done
exec "$@"
`

const users = [
  ['postern', 4701, '/var/spool/postern'],
  ['Debian-exim', 64_001, '/var/spool/exim4'],
  ['bill', 4711, '/home/bill'],
  ['ann', 4712, '/home/ann'],
  ['alice', 4713, '/home/alice'],
] as const

const bin = '/usr/local/bin'

/** Users, names of programs, a name server, what `postern install` makes. */
export function furnish(hostname: string): void {
  for (const file of ['/etc/passwd', '/etc/group'])
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replaceAll(/^(?:postern|Debian-exim|bill|ann|alice):.*\n/gm, ''),
    )
  for (const [name, id, home] of users) {
    appendFileSync('/etc/passwd', `${name}:x:${id}:${id}:${name}:${home}:/bin/sh\n`)
    appendFileSync('/etc/group', `${name}:x:${id}:\n`)
    mkdirSync(home, { recursive: true })
    chownSync(home, id, id)
  }
  writeFileSync('/etc/resolv.conf', 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n')
  writeFileSync('/etc/hosts', `127.0.0.1 localhost\n127.0.0.1 ${hostname} ${hostname.split('.')[0] ?? ''}\n`)
  spawnSync('hostname', [hostname])
  mkdirSync(bin, { recursive: true })
  for (const name of [
    'postern',
    'exim',
    'exinext',
    'exiqsumm',
    'exipick',
    'exim_dumpdb',
    'exiwhat',
    'sendmail',
    'mailq',
  ])
    if (!existsSync(join(bin, name))) symlinkSync(postern, join(bin, name))
  process.env['PATH'] = `${bin}:${process.env['PATH'] ?? ''}`
  // Of this machine's own Postern nothing is to be seen.
  for (const folder of ['/etc/postern', '/var/spool/postern', '/var/spool/postern-drop', '/var/log/postern'])
    rmSync(folder, { recursive: true, force: true })
  mkdirSync('/etc/postern', { recursive: true })
  // As Debian has it for users in the group mail; here everybody's deliveries may lock.
  chmodSync('/var/mail', 0o1777)
  for (const [folder, mode] of [
    ['/var/spool/postern', 0o750],
    ['/var/log/postern', 0o750],
  ] as const) {
    mkdirSync(folder, { recursive: true })
    chmodSync(folder, mode)
    chownSync(folder, 4701, 4701)
  }
}

export interface Ran {
  readonly status: number | null
  readonly out: string
  /** Output and complaints, in the order of a terminal. */
  readonly all: string
}

/** In a shell as root's; not spawnSync: name servers and other hosts are in this process. */
export async function shell(command: string, options: { cwd?: string; input?: string } = {}): Promise<Ran> {
  const child = spawn('bash', ['-c', command], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, LC_ALL: 'C', USER: 'root', LOGNAME: 'root', HOME: '/root', TZ: 'UTC' },
    cwd: options.cwd ?? '/root',
  })
  let out = ''
  let all = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
    all += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => (all += text))
  child.stdin.on('error', () => undefined)
  child.stdin.end(options.input ?? '')
  const timer = setTimeout(() => child.kill('SIGKILL'), 120_000)
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve))
  clearTimeout(timer)
  return { status, out, all }
}

/** Runs a block of commands without output as one script; all must succeed. */
export async function type(block: string, cwd?: string): Promise<string> {
  const { status, all } = await shell(`set -e\n${block}`, cwd === undefined ? {} : { cwd })
  assert.equal(status, 0, `${block}\n${all}${logs()}`)
  return all
}

/** Runs each command of a block and holds what it prints against what the page shows. */
export async function typeAndCompare(
  block: string,
  options: {
    readonly cwd?: string
    readonly input?: string
    readonly more?: Changing
    readonly status?: number
  } = {},
): Promise<void> {
  for (const { command, prints } of commandsOf(block)) {
    const { status, all } = await shell(command, options)
    if (options.status !== undefined) assert.equal(status, options.status, `${command}\n${all}`)
    assertShown(prints, all, options.more)
  }
}

export interface Parts {
  readonly main?: string
  readonly acl?: string
  readonly routers?: string
  readonly transports?: string
  readonly retry?: string
  readonly authenticators?: string
  readonly rewrite?: string
}

const sections = ['acl', 'routers', 'transports', 'retry', 'rewrite', 'authenticators'] as const

/** A configuration of parts; each may hold `begin NAME` lines of its own, as the blocks of pages do. */
export function compose(...parts: readonly Parts[]): string {
  const found: Record<string, string> = { main: '' }
  for (const part of parts)
    for (const [name, text] of Object.entries(part) as [string, string][]) {
      let section = name
      for (const line of text.split('\n')) {
        const begin = /^\s*begin (\w+)\s*$/.exec(line)?.[1]
        if (begin === undefined) found[section] = `${found[section] ?? ''}${line}\n`
        else section = begin
      }
      found[section] = `${found[section] ?? ''}\n`
    }
  return `${found['main']}\n${sections.map((name) => (found[name] === undefined ? '' : `begin ${name}\n${found[name]}`)).join('\n')}`
}

export const configurationFile = '/etc/postern/postern.conf'

/** Writes it where the program looks; `postern check` must find no mistake. */
export async function configure(...parts: readonly Parts[]): Promise<void> {
  writeFileSync(configurationFile, compose(...parts))
  const { status, all } = await shell(`postern check ${configurationFile}`)
  assert.equal(status, 0, all)
}

const ending: (() => Promise<void> | void)[] = []
export function atEnd(work: () => Promise<void> | void): void {
  ending.push(work)
}
export async function endAll(): Promise<void> {
  for (const work of ending.reverse()) await work()
}

export async function dns(zone: Zone): Promise<DnsServer> {
  const server = await startDnsServer(zone, { address: '127.0.0.1', port: 53 })
  atEnd(() => server.close())
  return server
}

let daemon: ChildProcess | undefined

/** The daemon of /etc/postern/postern.conf, on its port. */
export async function start(words: readonly string[] = ['-bdf', '-q1h'], port = 25): Promise<void> {
  let said = ''
  const child = spawn('postern', words, { stdio: ['ignore', 'pipe', 'pipe'] })
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (said += String(bytes)))
  daemon = child
  atEnd(stop)
  const up = await until(
    async () => (child.exitCode !== null || (await listens(port)) ? true : undefined),
    waitMs,
  )
  assert.ok(up === true && child.exitCode === null, `the daemon does not start: ${said}${logs()}`)
}

export async function stop(): Promise<void> {
  const child = daemon
  daemon = undefined
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 30_000)
  await ended
  clearTimeout(timer)
}

/** Another configuration in force. */
export const restart = (...parts: readonly Parts[]): Promise<void> => restartOn(25, ...parts)

export async function restartOn(port: number, ...parts: readonly Parts[]): Promise<void> {
  await stop()
  await configure(...parts)
  await start(['-bdf', '-q1h'], port)
}

/** Another host with a Postern of its own. */
export async function otherHost(address: string, ...parts: readonly Parts[]): Promise<void> {
  const folder = `/srv/hosts/${address}`
  for (const name of ['spool', 'log']) {
    mkdirSync(join(folder, name), { recursive: true })
    chmodSync(join(folder, name), 0o777)
  }
  const file = join(folder, 'conf')
  const own = `spool_directory = ${folder}/spool\nlog_file_path = ${folder}/log/%slog\npid_file_path = ${folder}/spool/pid\n`
  writeFileSync(file, compose({ main: own }, ...parts))
  let said = ''
  const child = spawn('postern', ['-C', file, '-bdf', '-oX', `${address}.25`], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (said += String(bytes)))
  atEnd(() => void child.kill('SIGTERM'))
  const up = await until(
    async () => (child.exitCode !== null || (await listens(25, address)) ? true : undefined),
    waitMs,
  )
  assert.ok(up === true && child.exitCode === null, `${address} does not start: ${said}`)
}

/** A scripted host at an address. */
export async function hostAt(address: string, script: SinkScript = {}): Promise<Sink> {
  const sink = await startSink(script, address, 25)
  atEnd(() => sink.close())
  return sink
}

/** Passes a port on to another one of this host. */
export async function forward(port: number, to: number): Promise<void> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const other = connect({ port: to, host: '127.0.0.1', allowHalfOpen: true })
    for (const each of [socket, other]) each.on('error', () => undefined)
    socket.pipe(other).pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  atEnd(() => void server.close())
}

function listens(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

export function logs(folder = '/var/log/postern'): string {
  return ['mainlog', 'rejectlog', 'paniclog'].map((name) => readIfThere(join(folder, name))).join('')
}

export function readIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}

/** Every line of the block comes into one of the logs; in any order. */
export async function logged(block: string, more: Changing = [], folder?: string): Promise<void> {
  for (const line of block.split('\n')) {
    if (line.trim() === '') continue
    const wanted = lineOf(line, more)
    const there = await until(
      () =>
        logs(folder)
          .split('\n')
          .some((each) => wanted.test(each)) || undefined,
      waitMs,
    )
    assert.ok(there === true, `the page shows\n    ${line}\nas ${wanted}; the logs have\n${logs(folder)}`)
  }
}

export interface Said {
  readonly code: number
  readonly text: string
}

/** A session from an address: each line waits for the reply to the one before. Ends before DATA when a reply refuses. */
export async function session(
  lines: readonly string[],
  from = '127.0.0.1',
  port = 25,
  to = '127.0.0.1',
): Promise<Said[]> {
  const replies: Said[] = []
  await new Promise<void>((resolve, reject) => {
    const socket = connect({ port, host: to, localAddress: from })
    const left = [...lines]
    let text = ''
    socket.setTimeout(waitMs, () => reject(new Error(`no answer; heard so far: ${JSON.stringify(replies)}`)))
    socket.on('error', reject)
    socket.on('close', () => resolve())
    socket.setEncoding('utf8').on('data', (piece: string) => {
      text += piece
      for (
        let end = /^(?:\d{3}-.*\r\n)*\d{3}(?: .*)?\r\n/.exec(text);
        end !== null;
        end = /^(?:\d{3}-.*\r\n)*\d{3}(?: .*)?\r\n/.exec(text)
      ) {
        text = text.slice(end[0].length)
        replies.push({ code: Number(end[0].slice(0, 3)), text: end[0] })
        // The last recipient was refused.
        if (left[0] === 'DATA' && (replies.at(-1)?.code ?? 0) >= 400) left.splice(0, 2)
        const next = left.shift()
        if (next === undefined) return void socket.end()
        socket.write(`${next.replaceAll(/\r?\n/g, '\r\n')}\r\n`)
      }
    })
  })
  return replies
}

export interface Letter {
  readonly from?: string
  readonly to: string | readonly string[]
  readonly text?: string
  readonly client?: string
  readonly helo?: string
  /** The address of the host it is given to. */
  readonly at?: string
}

/** One message by SMTP; the reply that decided. */
export async function mail({
  from = 'a@b.example',
  to,
  text,
  client = '127.0.0.1',
  helo = 'client.example',
  at = '127.0.0.1',
}: Letter): Promise<Said> {
  const recipients = typeof to === 'string' ? [to] : to
  const replies = await session(
    [
      `EHLO ${helo}`,
      `MAIL FROM:<${from}>`,
      ...recipients.map((each) => `RCPT TO:<${each}>`),
      'DATA',
      `${text ?? 'Subject: x\n\nhello'}\n.`,
      'QUIT',
    ],
    client,
    25,
    at,
  )
  return replies.find(({ code }) => code >= 400) ?? replies.at(-2) ?? { code: 0, text: '' }
}

export function write(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  chmodSync(path, mode)
}

/** Mail for everybody here goes into one file each. */
export const boxes: Parts = {
  main: 'acl_smtp_rcpt = accept\nhost_lookup =\n',
  routers: 'all:\n  driver = accept\n  transport = box\n',
  transports: 'box:\n  driver = appendfile\n  file = /home/bill/box\n  user = bill\n',
}

/** The command of a block with one command. */
export function commandLine(block: string): string {
  return commandOf(block).command
}
