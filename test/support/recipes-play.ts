/**
 * Whole configurations, as sites have them, played to a real Exim and to Postern. Runs by itself in a network of its own (`unshare -mn`),
 * where a name server, hosts to send to and scanners stand at addresses of their own, and prints what both showed as JSON.
 *
 * A recipe is a folder: `exim.conf`, the files it reads, and `steps`. A line of `steps` that begins with `$ ` is a step, what follows it
 * its input: `$ exim -bt x`, `$ as USER -f x@y z` (a call by that user), `$ smtp CLIENT HOST NAME=VALUE` (a dialogue that comes from that client), `$ postern check`, `$ postern explain WORDS` (its input: what its first screen must hold), `$ daemon` (until the end of the recipe), `$ tls CLIENT PORT NAME=VALUE ...` (a dialogue with it: recipes-client.ts), else a shell command.
 * CERTS in a file is the folder of certificates, HOME that of the recipe.
 */
import { spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { TestAuthority } from './certificates.ts'
import { startDnsServer } from './dns-server.ts'
import { talk } from './recipes-client.ts'
import { hostsOf, makeCertificates, ownAddress, zoneOf } from './recipes-network.ts'
import { recipesFolder, startServers } from './recipes-servers.ts'
import { type RemoteHost, startRemoteHost } from './remote-host.ts'
import { postern, until } from './server.ts'

export interface Shown {
  /** What each step wrote, by its line. */
  readonly steps: readonly { readonly step: string; readonly said: string }[]
  readonly logs: Readonly<Record<string, readonly string[]>>
  readonly files: Readonly<Record<string, string>>
  /** What the other hosts were told. */
  readonly dialogues: Readonly<Record<string, readonly string[]>>
}

export interface Played {
  readonly recipe: string
  readonly theirs: Shown
  readonly ours: Shown
}

const [exim = '', folder = '', ...recipes] = process.argv.slice(2)

const certificates = new TestAuthority(join(folder, 'certs'))
makeCertificates(certificates)
const dns = await startDnsServer(zoneOf(certificates), { port: 53 })
const others: Record<string, RemoteHost> = {}
for (const { name, address, port, script } of hostsOf(certificates))
  others[name] = await startRemoteHost(script, port, [address])
const sockets = createServer((socket) => {
  socket.on('error', () => {})
  socket.once('data', (bytes: Buffer) => socket.end(greylisted(bytes.toString('latin1'))))
}).listen(4000, ownAddress)

const servers = await startServers(recipes, folder)
/** Words in the files of recipes that stand for what this machine has. */
const words = new Map([
  ['CERTS', certificates.folder],
  ...servers.flatMap((server) => Object.entries(server.words)),
])

const played: Played[] = []
for (const recipe of recipes) {
  const theirs = await play(recipe, 'exim')
  played.push({ recipe, theirs, ours: await play(recipe, 'postern') })
}
for (const other of Object.values(others)) await other.close()
sockets.close()
for (const server of servers) await server.stop()
await dns.close()
process.stdout.write(JSON.stringify(played))

/** What greylistd says: `--grey host sender recipient` is grey for senders that begin with `new`. */
function greylisted(line: string): string {
  if (!line.startsWith('--grey ')) return 'error: what'
  return line.split(' ')[2]?.startsWith('new') === true ? 'true' : 'false'
}

async function play(recipe: string, which: 'exim' | 'postern'): Promise<Shown> {
  const home = join(folder, recipe, which)
  const from = join(recipesFolder, recipe)
  for (const name of ['', 'spool', 'log', 'mail', 'tools']) {
    mkdirSync(join(home, name), { recursive: true })
    chmodSync(join(home, name), 0o777)
  }
  const program = which === 'exim' ? exim : join(home, 'tools', 'exim')
  if (which === 'postern') symlinkSync(postern, program)
  copy(from, home, home)
  const file = join(home, 'exim.conf')
  writeFileSync(
    file,
    `spool_directory = ${home}/spool
log_file_path = ${home}/log/%slog
exim_path = ${program}
keep_environment =
queue_run_in_order
local_interfaces = 127.0.0.1 : ${ownAddress}
.ifdef _OPT_MAIN_LIMITS_ADVERTISE_HOSTS
limits_advertise_hosts =
.endif
${readFileSync(file, 'latin1')}`,
    'latin1',
  )
  // Where both look by themselves: a file named with -C costs Exim its rights when it calls itself.
  mkdirSync('/etc/exim4', { recursive: true })
  writeFileSync('/etc/exim4/exim4.conf', readFileSync(file))
  for (const other of Object.values(others)) other.begin()
  const steps: { step: string; said: string }[] = []
  let daemon: Daemon | undefined
  for (const { words, input } of stepsOf(readFileSync(join(home, 'steps'), 'latin1'))) {
    const [verb = '', ...rest] = words
    let said: string
    if (verb === 'exim') said = await call(program, rest, input, home)
    else if (verb === 'as') {
      const [user = '', ...more] = rest
      said = await call('setpriv', [...as(user, which), program, ...more], input, home)
    } else if (verb === 'smtp') {
      const [client = '', at = ownAddress, ...more] = rest
      said = await call(
        program,
        ['-odq', '-oMa', client, '-oMi', at, ...more, '-bs'],
        input.replaceAll('\n', '\r\n'),
        home,
      )
    } else if (verb === 'daemon') {
      daemon = await startDaemon(program, join(home, 'log', 'mainlog'))
      continue
    } else if (verb === 'tls') {
      const [from = '', port = '', ...more] = rest
      const options = Object.fromEntries(more.map((each) => each.split('=', 2)))
      said = await talk(
        { from, to: ownAddress, port: Number(port), certificates, options },
        input.trimEnd().split('\n'),
      )
    } else if (verb === 'postern') {
      if (which === 'exim') continue
      said =
        rest[0] === 'explain'
          ? lacking(plain(await call(postern, [...rest, '--brief', '-C', file], '', home), home), input)
          : await call(postern, [...rest, file], input, home)
    } else said = await call('sh', ['-c', words.join(' ').replaceAll('TOOL', program)], input, home)
    steps.push({ step: words.join(' ').replaceAll(home, 'HOME'), said: plain(said, home) })
  }
  await daemon?.stop()
  const logs: Record<string, readonly string[]> = {}
  for (const name of readdirSync(join(home, 'log')).sort())
    if (statSync(join(home, 'log', name)).size > 0)
      logs[name] = logLines(readFileSync(join(home, 'log', name), 'latin1'), home)
  return {
    steps,
    logs,
    files: filesBelow(join(home, 'mail'), home),
    dialogues: Object.fromEntries(
      Object.entries(others)
        .filter(([, { dialogue }]) => dialogue.length > 0)
        .map(([name, { dialogue }]) => [
          name,
          transactions(dialogue)
            .map((one) => plain(one, home))
            .sort(),
        ]),
    ),
  }
}

/** Nothing, where each line stands in what was said. */
function lacking(said: string, lines: string): string {
  const missing = lines
    .split('\n')
    .filter((line) => line.trim() !== '' && !said.includes(line.trim()))
    .map((line) => `lacks: ${line}\n`)
  return missing.length === 0 ? '' : `${missing.join('')}${said}`
}

/** A setuid Exim takes root's power by itself; Postern is given it, as by a setuid launcher. */
function as(user: string, which: 'exim' | 'postern'): readonly string[] {
  const [effective, group] = which === 'exim' ? [user, 'users'] : ['root', 'root']
  return [
    `--ruid=${user}`,
    `--euid=${effective}`,
    '--rgid=users',
    `--egid=${group}`,
    '--clear-groups',
    '--reset-env',
  ]
}

interface Daemon {
  stop(): Promise<void>
}

/** In the foreground; messages wait for the next `-q`. */
async function startDaemon(program: string, log: string): Promise<Daemon> {
  const child = spawn(program, ['-bdf', '-odq'], { stdio: ['ignore', 'ignore', 'inherit'] })
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const started = (): boolean => existsSync(log) && readFileSync(log, 'latin1').includes(' daemon started: ')
  if ((await until(() => (started() ? true : undefined), 20_000)) !== true)
    throw new Error(`no daemon of ${program}`)
  return {
    async stop() {
      child.kill('SIGTERM')
      await gone
    },
  }
}

/** What each message was sent with: who greeted, what was said up to its end. Which messages share a connection does not count. */
function transactions(dialogue: readonly string[]): string[] {
  const begun = new Map<string, { greeting: string[]; lines: string[] }>()
  const done: string[] = []
  for (const line of dialogue) {
    const [, number = '', said = ''] = /^(\d+) ([\s\S]*)$/.exec(line) ?? []
    const connection = begun.get(number) ?? { greeting: [], lines: [] }
    begun.set(number, connection)
    const words = said.replace(/^<\+/, '<').replace(/ SIZE=\d+/, '')
    if (/^< (?:EHLO|HELO|LHLO|AUTH|STARTTLS)|^= TLS/.test(words)) connection.greeting.push(words)
    else if (/^< (?:QUIT|RSET|NOOP)/.test(words)) {
      if (connection.lines.length > 0) done.push([...connection.greeting, ...connection.lines].join('\n'))
      connection.lines = []
    } else if (words.startsWith('< MAIL')) {
      if (connection.lines.length > 0) done.push([...connection.greeting, ...connection.lines].join('\n'))
      connection.lines = [words]
    } else if (connection.lines.length > 0 && !/^> (?:2\d\d|354)/.test(words)) connection.lines.push(words)
  }
  for (const { greeting, lines } of begun.values())
    if (lines.length > 0) done.push([...greeting, ...lines].join('\n'))
  return done
}

function copy(from: string, to: string, home: string): void {
  for (const name of readdirSync(from)) {
    const [source, target] = [join(from, name), join(to, name)]
    if (lstatSync(source).isDirectory()) {
      mkdirSync(target, { recursive: true })
      chmodSync(target, 0o777)
      copy(source, target, home)
    } else {
      let text = readFileSync(source, 'latin1').replaceAll('HOME', home)
      for (const [word, value] of words) text = text.replaceAll(word, value)
      writeFileSync(target, text, 'latin1')
    }
  }
}

function stepsOf(text: string): { readonly words: readonly string[]; readonly input: string }[] {
  return text
    .split(/^\$ /m)
    .slice(1)
    .map((each) => {
      const [line = '', ...input] = each.split('\n')
      const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '')
      const [verb = ''] = words
      const isOwn = ['as', 'daemon', 'exim', 'postern', 'smtp', 'tls'].includes(verb)
      // What stands before the next step, without the empty lines between; `#` lines tell the reader.
      const kept = input.filter((one) => !one.startsWith('#!')).join('\n')
      return { words: isOwn ? words : [line], input: kept.replace(/\n+$/, '\n').replace(/^\n$/, '') }
    })
}

function call(program: string, args: readonly string[], input: string, home: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: home, stdio: 'pipe', timeout: 60_000 })
    let out = ''
    let problem = ''
    child.stdout.on('data', (bytes: Buffer) => (out += bytes.toString('latin1')))
    child.stderr.on('data', (bytes: Buffer) => (problem += bytes.toString('latin1')))
    child.once('error', reject)
    child.once('close', (code) => {
      // What Exim tells root of a test or a session on standard error, Postern writes into its log.
      const isTest = args.some((word) => word.startsWith('-b'))
      const more = problem === '' || isTest ? '' : `\n(stderr)\n${problem}`
      resolve(`${out}${more}${code === 0 ? '' : `\n(exit ${code})`}`)
    })
    child.stdin.on('error', () => {})
    child.stdin.end(Buffer.from(input, 'latin1'))
  })
}

/** Lines by message: what belongs to none first; what came of reports, answers and scanners, whose order is chance, last. */
function logLines(text: string, home: string): string[] {
  const byId = new Map<string, string[]>()
  for (const entry of text.trimEnd().split(/\n(?=\d{4}-\d\d-\d\d )/)) {
    const line = entry.replace(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (?:[-+]\d{4} )?(?:\[\d+\] )?/, '')
    // The words of Exim's TLS library: docs/decisions/dkim.md.
    if (/ DKIM: validation error: /.test(line)) continue
    const id = /^\w{6}-\w{6,11}-\w{2,4}(?= )/.exec(line)?.[0] ?? ''
    byId.set(id, [...(byId.get(id) ?? []), plain(line, home)])
  }
  const [none = [], others] = [
    byId.get(''),
    [...byId].filter(([id]) => id !== '').map(([, lines]) => inOrder(lines)),
  ]
  const generated = others.filter((lines) => / (?:R=ID|P=scanned) /.test(lines[0] ?? ''))
  const rest = others.filter((lines) => !generated.includes(lines))
  generated.sort((one, other) => (one.join() < other.join() ? -1 : 1))
  return [...none.filter((line) => !/ queue run: /.test(line)), ...rest.flat(), ...generated.flat()]
}

/** The order in which recipients are served is chance. */
function inOrder(lines: readonly string[]): string[] {
  const first = lines.filter((line) => line.startsWith('ID <='))
  const last = lines.filter((line) => line === 'ID Completed')
  return [
    ...first,
    ...lines
      .filter((line) => line !== 'ID no TLS' && !first.includes(line) && !last.some((one) => one === line))
      .sort(),
    ...last,
  ]
}

/** Without ids, times, and what names the program. */
function plain(text: string, home: string): string {
  return (
    text
      .replaceAll(/\r\n/g, '\n')
      .replaceAll(home, 'HOME')
      .replaceAll(/127\.0\.0\.1(::?)\d{4,5}\b/g, '127.0.0.1$1PORT')
      .replaceAll(/\b\w{6}-\w{6,11}-\w{2,4}\b/g, 'ID')
      // Why a server cannot be reached: docs/decisions/databases.md.
      .replaceAll(/(failed to bind the LDAP connection to server [\d.]+:1) - .*/g, '$1')
      // Which messages share a connection differs: docs/decisions/queue.md.
      .replaceAll(/(H=\S+ \[[\d.]+\](?::\d+)?)\*/g, '$1')
      .replaceAll(/ S=\d+/g, ' S=N')
      .replaceAll(/,S=\d+/g, ',S=N')
      .replaceAll(/ R=ID U=\S+/g, ' R=ID U=USER')
      .replaceAll(/^( *)Received: from (?:root|Debian-exim|mail|nobody) by/gm, '$1Received: from USER by')
      .replaceAll(
        /DKIM-Signature: [^\n]*\n(?: *\t[^\n]*\n)*/g,
        (text) =>
          `DKIM-Signature: ${/;d=[^;]+;s=[^;]+/.exec(text.replace(/\s+/g, ''))?.[0].replaceAll(';', ' ')}\n`,
      )
      // GnuTLS and OpenSSL have names of their own for ciphers, and words of their own for errors.
      .replaceAll(/ X=(TLS[\d.]+):\S+:(\d+)/g, ' X=$1:CIPHER:$2')
      .replaceAll('TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384', 'TLS_AES_256_GCM_SHA384')
      .replaceAll(/^(TLS error on connection .*?\]:\d+ )\(.*/gm, '$1(WORDS)')
      .replaceAll(
        /(DN="|-tls_peerdn |dn=)(\/[^"\n]*)/g,
        (_, before: string, name: string) => `${before}${name.slice(1).replaceAll('/', ',')}`,
      )
      // One sentence, one error and a line of the host for all that keeps TLS from being had: docs/decisions/remote-deliveries.md.
      .replaceAll(/(a TLS session is required, but an attempt to start TLS failed): 4.*/g, '$1')
      .replaceAll(
        /defer \(-3[78]\)( H=.*?\]:\d+: )(?:TLS session: |a TLS session is required, but an attempt to start TLS failed: ).*/g,
        'defer (TLS)$1no TLS',
      )
      .replaceAll(
        /^ID (?:H=.*?: (?:TLS session: |a TLS session is required, but an attempt to start TLS failed: ).*|DANE attempt failed.*)/gm,
        'ID no TLS',
      )
      .replaceAll(/^exim [\d.]+ daemon/gm, 'exim PROGRAM daemon')
      // A session of Dovecot's LMTP server.
      .replaceAll(/[\w+/]{22}(?::[TR]\d+)*(?= Saved)|(?<=\tid )[\w+/]{22}(?::[TR]\d+)*$/gm, 'SESSION')
      .replaceAll(/ (?:DT|QT|D)=\d\S*/g, '')
      .replaceAll(/\w{3}, {1,2}\d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d [-+]\d{4}/g, 'DATE')
      .replaceAll(/\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}/g, 'DATE')
      .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, 'TIME')
      .replaceAll(/\d{10}\.[HM]\d+P\d+\.[^\s:,]+/g, 'UNIQUE')
      .replaceAll(/E\w{6}-\w+-\w+@/g, 'ID@')
      .replaceAll(/<EID@/g, '<ID@')
      .replaceAll(/\((?:Exim|Postern) [\d.]+\)/g, '(PROGRAM)')
      .replaceAll(/ESMTP (?:Exim|Postern) [\d.]+/g, 'ESMTP PROGRAM')
      .replaceAll(/\b(?:exim|pid)[-=]?\d+\b/g, 'PID')
      .replaceAll(/\b(?:LIMITS [A-Z]+=\d+|LIMITS)\b/g, 'LIMITS')
      .replaceAll(/\d{10}-eximdsn-\d+/g, 'TIME-eximdsn-N')
  )
}

/** The messages of a mailbox file: which of two deliveries comes first is chance. */
function inAnyOrder(mailbox: string): string {
  return mailbox
    .split(/^(?=From \S+ DATE$)/m)
    .sort()
    .join('')
}

function filesBelow(top: string, home: string): Record<string, string> {
  const found = new Map<string, string[]>()
  const walk = (path: string, shown: string): void => {
    for (const name of readdirSync(path).sort()) {
      // Where Exim remembers whom it has answered.
      if (name.endsWith('.db') || name.endsWith('.lock') || name === 'maildirsize') continue
      const whole = join(path, name)
      const { mode, uid, gid } = lstatSync(whole)
      const who = `${(mode & 0o777).toString(8)} ${uid}:${gid}`
      const as = `${shown}${name
        .replace(/^\d{10}\.[MHPVQ0-9]\w*\.[^:,]+/, 'UNIQUE')
        .replace(/,S=\d+/, ',S=N')
        .replace(/^\w{6}-\w{6,11}-\w{2,4}(?:-\w+)?/, 'ID')
        .replace(/^q\w{6}-\d+$/, 'UNIQUE')}`
      if (!lstatSync(whole).isDirectory())
        found.set(as, [
          ...(found.get(as) ?? []),
          `(${who})\n${inAnyOrder(plain(readFileSync(whole, 'latin1'), home))}`,
        ])
      else {
        found.set(`${as}/`, [who])
        walk(whole, `${as}/`)
      }
    }
  }
  if (existsSync(top)) walk(top, '')
  return Object.fromEntries([...found].map(([name, texts]) => [name, texts.sort().join('----\n')]))
}
