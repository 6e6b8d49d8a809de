/** Scanners to talk to: real ones of Debian's packages with tiny databases, and stand-ins that say what a message asks for. */
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { basename, join } from 'node:path'
import { type Fetched, fetchDebian, libraryPath } from './debian.ts'
import { freePort, until } from './server.ts'

/** Holds a virus for the database of `startClamd`, spam for the rules of the others. */
export const virus = 'POSTERN-EVIL'
export const spamWord = 'buy-this-now'

export interface RunningScanner {
  readonly port: number
  /** Unix socket, where there is one. */
  readonly socket: string
  stop(): Promise<void>
}
export type Started = RunningScanner | { readonly missing: string }

export function fetchClamd(): Fetched {
  return fetchDebian(['clamav-daemon'])
}

/** ClamAV's daemon with a database of one signature. */
export async function startClamd(folder: string): Promise<Started> {
  const fetched = fetchClamd()
  if ('missing' in fetched) return fetched
  const program = join(fetched.root, 'usr/sbin/clamd')
  const database = join(folder, 'clamav')
  mkdirSync(database, { recursive: true })
  writeFileSync(
    join(database, 'test.ndb'),
    `Postern.Test.Evil:0:*:${Buffer.from(virus, 'latin1').toString('hex')}\n`,
  )
  const port = await freePort()
  const socket = join(folder, 'clamd.sock')
  const lines = [
    `LocalSocket ${socket}`,
    'LocalSocketMode 666',
    `TCPSocket ${port}`,
    'TCPAddr 127.0.0.1',
    `DatabaseDirectory ${database}`,
    'Foreground yes',
    ...(process.getuid?.() === 0 ? ['User root'] : []),
  ]
  const configuration = join(folder, 'clamd.conf')
  writeFileSync(configuration, `${lines.join('\n')}\n`)
  return run(program, ['-c', configuration], port, socket, { LD_LIBRARY_PATH: libraryPath(fetched.root) })
}

export function fetchSpamd(): Fetched {
  return fetchDebian([
    'spamd',
    'spamassassin',
    'libnet-dns-perl',
    'libnetaddr-ip-perl',
    'libhtml-parser-perl',
    'libhtml-tagset-perl',
    'libmail-spf-perl',
  ])
}

/** SpamAssassin's daemon with two rules. */
export async function startSpamd(folder: string): Promise<Started> {
  const fetched = fetchSpamd()
  if ('missing' in fetched) return fetched
  const { root } = fetched
  const rules = join(folder, 'spamassassin')
  mkdirSync(rules, { recursive: true })
  writeFileSync(join(rules, 'init.pre'), 'loadplugin Mail::SpamAssassin::Plugin::Check\n')
  writeFileSync(
    join(rules, '10.cf'),
    `required_score 5
body POSTERN_SPAM /${spamWord}/
describe POSTERN_SPAM Says the word
score POSTERN_SPAM 7.3
report Report of the test
report _SUMMARY_
`,
  )
  for (const name of ['.', ...readdirSync(rules)]) chmodSync(join(rules, name), name === '.' ? 0o755 : 0o644)
  const port = await freePort()
  const inside = [
    'usr/share/perl5',
    ...['usr/lib/x86_64-linux-gnu/perl5', 'usr/lib/aarch64-linux-gnu/perl5'].flatMap((each) =>
      existsSync(join(root, each)) ? readdirSync(join(root, each)).map((version) => join(each, version)) : [],
    ),
  ]
  return run(
    'perl',
    [
      '-T',
      ...inside.map((each) => `-I${join(root, each)}`),
      join(root, 'usr/sbin/spamd'),
      ...['-L', '-x', '-m', '1', '-i', '127.0.0.1', '-p', String(port), '-s', 'stderr'],
      ...['-C', rules, `--siteconfigpath=${rules}`, '-r', join(folder, 'spamd.pid')],
      ...(process.getuid?.() === 0 ? ['-u', 'nobody'] : []),
    ],
    port,
    '',
    {},
  )
}

/**
 * Rspamd without any of its modules: it knows GTUBE by itself, and subjects with words and their scores: `GREY-5`, `HEADER-8`, `REWRITE-10`.
 * @param dnsPort given: it checks SPF, DKIM and DMARC, and asks the name server there
 */
export async function startRspamd(folder: string, dnsPort?: number): Promise<Started> {
  const fetched = fetchDebian(['rspamd'])
  if ('missing' in fetched) return fetched
  const share = join(fetched.root, 'usr/share/rspamd')
  const port = await freePort()
  const configuration = join(folder, 'rspamd.conf')
  const suffixes = join(folder, 'suffixes')
  writeFileSync(suffixes, 'com\ntest\n')
  const rules = join(folder, 'rspamd.lua')
  writeFileSync(
    rules,
    `for word, score in pairs({ ['GREY-5'] = 5, ['HEADER-8'] = 8, ['REWRITE-10'] = 10 }) do
  rspamd_config:register_symbol({ name = word, score = score, callback = function(task)
    return string.find(task:get_header('Subject') or '', word, 1, true) ~= nil
  end })
end
`,
  )
  writeFileSync(
    configuration,
    `options { pidfile = "${folder}/rspamd.pid"; filters = "${dnsPort === undefined ? '' : 'dkim'}"; tempdir = "${folder}"; dns { nameserver = ["127.0.0.1:${dnsPort ?? 1}"]; }
  url_tld = "${suffixes}"; control_socket = "${folder}/control mode=0600"; }
logging { type = "console"; level = "error"; }
lua = "${share}/rules/rspamd.lua";
lua = "${rules}";
${dnsPort === undefined ? '' : `modules { path = "${share}/plugins/"; }\ndkim {}\nspf {}\ndmarc {}`}
actions { reject = 15; rewrite_subject = 9; add_header = 6; greylist = 4; }
worker "normal" { bind_socket = "127.0.0.1:${port}"; count = 1; }
`,
  )
  const paths = { LUALIBDIR: 'lualib', RULESDIR: 'rules', SHAREDIR: '.', PLUGINSDIR: 'plugins' }
  return run(
    join(fetched.root, 'usr/bin/rspamd'),
    [
      ...['-f', '-i', '-c', configuration],
      ...Object.entries(paths).flatMap(([name, path]) => ['--var', `${name}=${join(share, path)}`]),
    ],
    port,
    '',
    { LD_LIBRARY_PATH: `${libraryPath(fetched.root)}:${join(fetched.root, 'usr/lib/rspamd')}` },
  )
}

/** What rspamd takes for spam without any rule. */
export const gtube = 'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X'

async function run(
  program: string,
  args: readonly string[],
  port: number,
  socket: string,
  environment: Readonly<Record<string, string>>,
): Promise<Started> {
  let said = ''
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    env: { ...process.env, ...environment },
  })
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes: Buffer) => (said += bytes.toString('latin1')))
  let failed = false
  child.on('error', () => (failed = true))
  const answers = await until(
    async () => (failed || child.exitCode !== null || (await listens(port)) ? true : undefined),
    60_000,
  )
  if (answers === undefined || failed || child.exitCode !== null) {
    await end(child)
    return { missing: `${program} does not start here: ${said.slice(-500)}` }
  }
  return { port, socket, stop: () => end(child) }
}

async function end(child: ChildProcess): Promise<void> {
  const { pid } = child
  if (pid === undefined || child.exitCode !== null) return
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    return
  }
  await ended
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

export interface StandIn {
  readonly port: number
  /** What was asked, in order. */
  readonly asked: string[]
  close(): Promise<void>
}

/** @param talk what is done with each connection; it notes what was `asked` */
async function listening(talk: (socket: Socket, asked: string[]) => void, where?: string): Promise<StandIn> {
  const asked: string[] = []
  const open = new Set<Socket>()
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => open.delete(socket))
    talk(socket, asked)
  })
  await new Promise<void>((resolve) => {
    if (where === undefined) server.listen(0, '127.0.0.1', resolve)
    else server.listen(where, resolve)
  })
  if (where !== undefined) chmodSync(where, 0o777)
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    asked,
    close() {
      for (const socket of open) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

/** @param greets what is said at once */
function standInLines(greets: string, answer: (line: string) => string | null): Promise<StandIn> {
  return listening((socket, asked) => {
    let held = ''
    socket.on('end', () => socket.end())
    socket.write(greets)
    socket.on('data', (bytes: Buffer) => {
      const lines = (held + bytes.toString('latin1')).split('\n')
      held = lines.pop() ?? ''
      for (const line of lines) {
        // Whether the farewell arrives is chance: the connection is ended at once.
        if (line === 'QUIT') continue
        asked.push(line)
        const says = answer(line)
        if (says === 'CLOSE') socket.end()
        else if (says !== null) socket.write(says, 'latin1')
      }
    })
  })
}

/** What stands in the copy of a message, by the path of its folder or its file. */
function copyAt(path: string): string {
  const file = path.endsWith('.eml') ? path : join(path, `${basename(path)}.eml`)
  return readFileSync(file, 'latin1')
}

/** Speaks as Avast's daemon does; `SAY:text` in the message is what it says of it. */
export function standInAvast(): Promise<StandIn> {
  return standInLines('220 DAEMON\r\n', (line) => {
    const path = /^SCAN (.*)$/.exec(line)?.[1]
    if (path === undefined) return line.startsWith('BAD') ? '501 Syntax error\r\n' : '210 DATA\r\n200 OK\r\n'
    return ordered(copyAt(path)) ?? '210 SCAN DATA\r\nSCAN /x\t[+]0.0\r\n200 SCAN OK\r\n'
  })
}

/** Speaks as F-Prot's daemon does; `SAY:text` in the message is what it says of it. */
export function standInFProt(): Promise<StandIn> {
  return standInLines('', (line) => {
    const path = /^SCAN FILE (.*)$/.exec(line)?.[1]
    return path === undefined ? null : (ordered(copyAt(path)) ?? '0 <clean> x\n')
  })
}

/** Speaks as Sophie does; `SAY:text` in the message is what it says of it. */
export function standInSophie(where: string): Promise<StandIn> {
  return standIn(
    (sent) => (sent.endsWith('\n') ? (ordered(copyAt(sent.trimEnd())) ?? '0') : undefined),
    where,
  )
}

/** @param answer what to say once this much has been sent; undefined: wait for more; null: never answer */
function standIn(answer: (sent: string) => string | undefined | null, where?: string): Promise<StandIn> {
  return listening((socket, asked) => {
    let sent = ''
    let done = false
    socket.on('data', (bytes: Buffer) => {
      sent += bytes.toString('latin1')
      const says = done ? undefined : answer(sent)
      if (says === undefined) return
      done = true
      asked.push(sent)
      if (says !== null) socket.end(says, 'latin1')
    })
  }, where)
}

/** What the message orders: `SAY:text` with `\n`, `\r`, `\t` and `\0`; `SILENT` for nothing at all. */
function ordered(sent: string): string | null | undefined {
  if (sent.includes('SILENT')) return null
  return /SAY:([^\n]*)/
    .exec(sent)?.[1]
    ?.replaceAll('\\n', '\n')
    .replaceAll('\\t', '\t')
    .replaceAll('\\r', '\r')
    .replaceAll('\\0', '\0')
}

/** Speaks as clamd does: INSTREAM and SCAN; `VIRUS:name` in the stream is found. */
export function standInClamd(where?: string): Promise<StandIn> {
  return standIn((sent) => {
    if (!sent.startsWith('zINSTREAM\0')) {
      return sent.includes('\n') ? `${/\s(\/\S+)/.exec(sent)?.[1] ?? ''}: OK\n` : undefined
    }
    if (!sent.endsWith('\0\0\0\0')) return undefined
    const name = /VIRUS:(\S+)/.exec(sent)?.[1]
    return (
      ordered(sent) ??
      (sent.includes('SILENT') ? null : `stream: ${name === undefined ? 'OK' : `${name} FOUND`}\0`)
    )
  }, where)
}

/** Speaks as spamd does; `SCORE:number` is the score. */
export function standInSpamd(): Promise<StandIn> {
  return standIn((sent) => {
    const head = /^[^]*?\r\n\r\n/.exec(sent)?.[0]
    const size = Number(/^content-length: (\d+)/im.exec(head ?? '')?.[1] ?? Number.NaN)
    if (head === undefined || !(sent.length >= head.length + size)) return undefined
    const score = /SCORE:(\S+)/.exec(sent)?.[1] ?? '1.5'
    const word = Number(score) >= 5 ? 'True' : 'False'
    return (
      ordered(sent) ??
      (sent.includes('SILENT')
        ? null
        : `SPAMD/1.1 0 EX_OK\r\nSpam: ${word} ; ${score} / 5.0\r\n\r\nReport\n of lines \n\n pts rule\n\n`)
    )
  })
}

/** Answers each line with what was ordered; `VIRUS` otherwise. */
export function standInSock(): Promise<StandIn> {
  return standIn(() => 'result VIRUS name=Sock.Evil\nmore\n')
}
