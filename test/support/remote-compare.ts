/**
 * The same messages sent to the same scripted hosts by a real Exim and by Postern: log lines, dialogues byte for byte,
 * hints about hosts, and the reports that come back.
 */
import { spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { withoutChance } from './delivery-compare.ts'
import type { Zone } from './dns-server.ts'
import { type HostScript, type RemoteHost, startRemoteHost } from './remote-host.ts'
import { freePort, postern } from './server.ts'

export interface RemoteCase {
  readonly says: string
  /** Options of the transport, a line each. `PORT` stands for the port of the case, `DIR` for its folder. */
  readonly options?: string
  readonly routerOptions?: string
  /** The hosts of the case; undefined: nobody listens. */
  readonly host?: HostScript
  readonly addresses?: readonly string[]
  /** What the name server of the case knows beside the rest. */
  readonly zone?: (port: number) => Zone
  /** Local parts; left out: one. `@N` adds another domain of the case. */
  readonly to?: readonly string[]
  /** Parameters of MAIL and RCPT. */
  readonly mail?: string
  readonly rcpt?: string
  readonly from?: string
  readonly message?: string
  /** Messages, the same each time; left out: one. */
  readonly messages?: number
  /** How long a connection is kept differs, and is a matter of time: commands and `*` do not count. */
  readonly loose?: true
  /** Why the two differ on purpose: docs/decisions. */
  readonly meant?: string
}

export interface RemoteResult {
  /** Lines of the main log about each message, without time and id. */
  readonly log: readonly string[]
  readonly dialogue: readonly string[]
  /** `exim_dumpdb retry`, without times. */
  readonly retry: readonly string[]
  /** Reports, by file. */
  readonly reports: readonly string[]
}

const usual = `From: Bill <bill@a.example>
To: me@x.example
Subject: Hello
Message-Id: <abc@def>
Date: Sun, 29 Nov 2026 06:56:46 +0000

Body line
.dot
`

export interface Both {
  readonly theirs: RemoteResult
  readonly ours: RemoteResult
}

export interface RemoteWorld {
  readonly main?: string
  readonly authenticators?: string
  /** Of `log_selector`. */
  readonly selectors?: string
  /** Takes the zones of all cases. */
  readonly serve?: (zone: Zone) => void
}

export async function compareRemote(
  cases: readonly RemoteCase[],
  folder: string,
  exim: string,
  more: RemoteWorld,
): Promise<readonly Both[]> {
  const ports: number[] = []
  while (ports.length < cases.length) {
    const port = await freePort()
    if (!ports.includes(port)) ports.push(port)
  }
  more.serve?.(Object.assign({}, ...cases.map(({ zone }, i) => zone?.(ports[i] as number))))
  const link = join(folder, 'postern')
  mkdirSync(link)
  symlinkSync(postern, join(link, 'exim'))
  symlinkSync(postern, join(link, 'exim_dumpdb'))
  const dumper = [join(dirname(exim), 'usr/sbin/exim_dumpdb'), join(dirname(exim), 'exim_dumpdb')]
  const hosts = await Promise.all(
    cases.map(({ host, addresses }, i) =>
      host === undefined ? Promise.resolve(undefined) : startRemoteHost(host, ports[i] as number, addresses),
    ),
  )
  let theirs: RemoteResult[] = []
  let ours: RemoteResult[] = []
  try {
    theirs = await runAll(cases, ports, hosts, join(folder, 'a'), more, {
      exim,
      dump: dumper.find((path) => existsSync(path)) ?? '',
    })
    ours = await runAll(cases, ports, hosts, join(folder, 'b'), more, {
      exim: join(link, 'exim'),
      dump: join(link, 'exim_dumpdb'),
    })
  } finally {
    await Promise.all(hosts.map(async (host) => host?.close()))
  }
  return cases.map((_, i) => ({ theirs: theirs[i] as RemoteResult, ours: ours[i] as RemoteResult }))
}

async function runAll(
  cases: readonly RemoteCase[],
  ports: readonly number[],
  hosts: readonly (RemoteHost | undefined)[],
  home: string,
  more: RemoteWorld,
  programs: { readonly exim: string; readonly dump: string },
): Promise<RemoteResult[]> {
  for (const each of ['', 'spool', 'log', ...cases.map((_, i) => `c${i + 1}`)]) {
    mkdirSync(join(home, each), { recursive: true })
    chmodSync(join(home, each), 0o777)
  }
  writeFileSync(join(home, 'names'), cases.map((_, i) => `c${i + 1}: c${i + 1}\n`).join(''))
  const file = join(home, 'exim.conf')
  writeFileSync(file, configurationOf(cases, ports, home, more, programs.exim), 'latin1')
  for (const host of hosts) host?.begin()
  await call(
    programs.exim,
    ['-C', file, '-odq', '-bs'],
    `EHLO here\r\n${cases.map((one, i) => batchOf(one, i)).join('')}QUIT\r\n`,
  )
  // The second run shows what is remembered of the first.
  for (let run = 0; run < 2; run++) await call(programs.exim, ['-C', file, '-q'], '')
  const retry = await call(programs.dump, [join(home, 'spool'), 'retry'], '')
  const log = logLines(join(home, 'log', 'mainlog'), home)
  return cases.map((_, i) => ({
    log: log.get(i) ?? [],
    dialogue: byConnection(hosts[i]?.dialogue ?? []).map(withoutTrace),
    retry: hintsOf(retry, ports[i] as number, i),
    reports: reportsIn(join(home, `c${i + 1}`), home),
  }))
}

function configurationOf(
  cases: readonly RemoteCase[],
  ports: readonly number[],
  home: string,
  more: RemoteWorld,
  program: string,
): string {
  const own = (text: string, i: number): string =>
    text.replaceAll('PORT', String(ports[i])).replaceAll('DIR', join(home, `c${i + 1}`))
  const indented = (text: string | undefined): string =>
    (text ?? '')
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => `  ${line}\n`)
      .join('')
  const routers = cases.map((one, i) =>
    own(
      `c${i + 1}r:\n  driver = accept\n  domains = c${i + 1}.example : *.c${i + 1}.example\n  transport = c${i + 1}t\n${indented(one.routerOptions)}`,
      i,
    ),
  )
  const transports = cases.map((one, i) => {
    const defaults = [
      ['hosts', '127.77.0.1'],
      ['port', 'PORT'],
      ['allow_localhost', ''],
      ['command_timeout', '1s'],
      ['hosts_try_dane', ''],
    ]
    const given = one.options ?? ''
    const rest = defaults
      .filter(([name]) => !new RegExp(`^${name}\\b`, 'm').test(given))
      .map(([name, value]) => (name === 'allow_localhost' ? '  allow_localhost\n' : `  ${name} = ${value}\n`))
    return own(`c${i + 1}t:\n  driver = smtp\n${rest.join('')}${indented(given)}`, i)
  })
  return `spool_directory = ${home}/spool
log_file_path = ${home}/log/%slog
exim_path = ${program}
keep_environment =
primary_hostname = mta.example
qualify_domain = x.example
never_users =
queue_only
acl_smtp_rcpt = accept
acl_smtp_data = accept
trusted_users = root
received_header_text = Received: by mta
dsn_advertise_hosts = *
remote_max_parallel = 1
chunking_advertise_hosts = *
smtputf8_advertise_hosts = *
log_selector = +outgoing_port ${more.selectors ?? ''}
${more.main ?? ''}
begin routers
back:
  driver = accept
  domains = back.example
  local_parts = lsearch;${home}/names
  transport = back
${routers.join('')}
begin transports
back:
  driver = appendfile
  user = nobody
  file = ${home}/\${local_part_data}/report
${transports.join('')}
begin retry
* * F,2h,15m
${more.authenticators === undefined ? '' : `begin authenticators\n${more.authenticators}`}`
}

function batchOf(one: RemoteCase, i: number): string {
  const from = one.from === '<>' ? '' : (one.from ?? `c${i + 1}@back.example`)
  const to = (one.to ?? ['a']).map((each) => {
    const [local, domain] = each.split('@')
    return `RCPT TO:<${local}@${domain === undefined ? '' : `${domain}.`}c${i + 1}.example>${one.rcpt === undefined ? '' : ` ${one.rcpt}`}\r\n`
  })
  const text = (one.message ?? usual).replaceAll(/^\./gm, '..').replaceAll('\n', '\r\n')
  const parameters = one.mail === undefined ? '' : ` ${one.mail}`
  return `MAIL FROM:<${from}>${parameters}\r\n${to.join('')}DATA\r\n${text}.\r\n`.repeat(one.messages ?? 1)
}

function call(program: string, args: readonly string[], input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: '/', stdio: 'pipe' })
    let out = ''
    let problem = ''
    child.stdout.on('data', (bytes: Buffer) => (out += bytes.toString('latin1')))
    child.stderr.on('data', (bytes: Buffer) => (problem += bytes.toString('latin1')))
    child.once('error', reject)
    child.once('close', () => {
      if (/configuration (?:error|file)/i.test(problem)) reject(new Error(problem))
      else resolve(out)
    })
    child.stdin.on('error', () => {})
    child.stdin.end(Buffer.from(input, 'latin1'))
  })
}

const idPattern = /^\w{6}-\w{6,11}-\w{2,4}$/

/** Lines of each case: what names its domain first belongs to it, and all that has the id of that. */
function logLines(path: string, home: string): Map<number, string[]> {
  const found = new Map<number, string[]>()
  const byId = new Map<string, string[]>()
  const caseOf = new Map<string, number>()
  for (const line of existsSync(path) ? readFileSync(path, 'latin1').split(/\n(?=\d{4}-)/) : []) {
    const match = /^\S+ \S+ (\S+) ([\s\S]*)$/.exec(line.trimEnd())
    const id = match?.[1] ?? ''
    const text = match?.[2] ?? ''
    if (!idPattern.test(id)) continue
    const named = /\bc(\d+)@back\.example|@(?:\w+\.)?c(\d+)\.example/.exec(text)
    if (named !== null && !caseOf.has(id)) caseOf.set(id, Number(named[1] ?? named[2]) - 1)
    const index = caseOf.get(id)
    if (index === undefined || (text.startsWith('<= ') && !text.startsWith('<= <>'))) continue
    // Exim opens messages that are not due in each run; Postern does not: docs/decisions/queue.md.
    if (/retry time not reached(?: for any host for '\S+')?$/.test(text) && text.startsWith('== ')) continue
    const lines = byId.get(id) ?? []
    lines.push(
      withoutChance(text, home)
        .replaceAll(/ SIZE=(\d+)\d\d\b/g, ' SIZE=$1..')
        .replace(/ X=TLS[^\s*]+/, ' X=TLS')
        .replace(/ DN="[^"]*"/, ' DN')
        .replace(/^<= <>.* R=ID.*/, '<= <> R=ID ...'),
    )
    byId.set(id, lines)
  }
  // Messages that lay beside each other one after the other.
  for (const [id, lines] of byId) {
    const index = caseOf.get(id) as number
    found.set(index, [...(found.get(index) ?? []), ...lines])
  }
  return found
}

/** Connections that lay beside each other one after the other. */
function byConnection(lines: readonly string[]): string[] {
  const number = (line: string): number => Number.parseInt(line, 10)
  return [...lines].sort((a, b) => number(a) - number(b))
}

function withoutTrace(line: string): string {
  return (
    line
      .replace(/^(\d+ {3}(?:Delivery-)?[Dd]ate): .*/, '$1: ...')
      .replace(/^(\d+ {3}Message-Id): <E.*/, '$1: ...')
      .replace(/^(\d+ {3}\t)\w{3}, \d.*/, '$1DATE')
      // Exim counts one byte less than it sends.
      .replace(/ SIZE=(\d+)\d\d\b/, ' SIZE=$1..')
      .replace(/ id \w{6}-\w{6,11}-\w{2,4}/, ' id ID')
  )
}

function hintsOf(dump: string, port: number, i: number): string[] {
  return dump
    .split(/\n(?= {2}\S)/)
    .map((each) => each.trim())
    .filter((each) => each.includes(`:${port}`) || new RegExp(`[@.]c${i + 1}\\.example`).test(each))
    .map((each) =>
      each
        .replaceAll(/\d\d-\w{3}-\d{4} \d\d:\d\d:\d\d/g, 'T')
        .replaceAll(/\w{6}-\w{6,11}-\w{2,4}/g, 'ID')
        .replaceAll(/\s+/g, ' ')
        .replaceAll(/ SIZE=(\d+)\d\d\b/g, ' SIZE=$1..')
        .replaceAll(String(port), 'PORT'),
    )
    .sort()
}

function reportsIn(folder: string, home: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.startsWith('report'))
    .map((name) => withoutChance(readFileSync(join(folder, name), 'latin1'), home))
    .map((text) =>
      text
        .replaceAll(/^From .*$/gm, 'From ...')
        .replaceAll(/<E\S+@mta.example>/g, '<ID>')
        .replaceAll(/^(Date|Message-Id|Arrival-Date): .*$/gm, '$1: ...')
        .replaceAll(/^Received: by mta.*(?:\n[ \t].*)*$/gm, 'Received: ...')
        .replaceAll(/ SIZE=(\d+)\d\d\b/g, ' SIZE=$1..')
        .replaceAll(/\d{10,}-eximdsn-\d+|[\w-]+-eximdsn-\d+/g, 'BOUNDARY'),
    )
}

/** What is left of a result when connections do not count. */
export function withoutConnections(result: RemoteResult): RemoteResult {
  return {
    ...result,
    log: result.log.map((line) => line.replaceAll('*', '')),
    dialogue: result.dialogue.filter((line) => /^\d+ {3}/.test(line)).map((line) => line.replace(/^\d+/, '')),
  }
}
