/**
 * The same messages delivered by a real Exim and by Postern, both started as programs on the same configuration: what
 * the main log says of each message, and what lies in the files afterwards.
 */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { postern } from './server.ts'

export interface DeliveryCase {
  readonly says: string
  /** Left out: `NAME@x.example`, NAME being `c` and the number of the case. */
  readonly to?: string
  /** `<>` for none; left out: `s@r.example`. */
  readonly from?: string
  /** Left out: a short message. */
  readonly message?: string
  /** Files to be there before: path below the folder, contents, mode. */
  readonly files?: Readonly<Record<string, string | { readonly text: string; readonly mode: number }>>
  /** Options of the redirect router with the filter of this case in file `filter`. */
  readonly filter?: string
  readonly options?: string
  /** Routers and transports of this case alone; `NAME` and `DIR` are replaced. */
  readonly routers?: string
  readonly transports?: string
  /** No router takes it: that is the case. */
  readonly unroutable?: true
  /** Why the two differ on purpose; the case then only has to be the same each time in Postern. */
  readonly meant?: string
}

export interface Delivered {
  /** Lines of the main log about the message, without time and id. */
  readonly log: readonly string[]
  /** Lines of the panic log about the message, likewise. */
  readonly panic: readonly string[]
  /** Text of each file below `DIR/NAME`, by path. */
  readonly files: Readonly<Record<string, string>>
}

export const usualMessage = `From: Bill <bill@a.example>
To: me@x.example, You <you@x.example>
Subject: Hello world
Message-Id: <abc@def>
Date: Sun, 29 Nov 2026 06:56:46 +0000

Body line one
line two
`

interface Program {
  readonly path: string
  readonly folder: string
}

/** Runs all cases through both programs, each in one batch. */
export function compareDeliveries(
  cases: readonly DeliveryCase[],
  main: string,
  common: { readonly routers?: string; readonly transports?: string; readonly retry?: string },
  folder: string,
  exim: string,
): readonly { readonly theirs: Delivered; readonly ours: Delivered }[] {
  const configuration = (home: string): string => configurationOf(cases, main, common, home)
  const both = [
    { path: exim, folder: join(folder, 'exim') },
    { path: postern, folder: join(folder, 'postern') },
  ].map((program) => deliverAll(program, cases, configuration(program.folder), exim))
  const [theirs = [], ours = []] = both
  return cases.map((_, i) => ({
    theirs: theirs[i] ?? nothing,
    ours: ours[i] ?? nothing,
  }))
}

export function nameOf(index: number): string {
  return `c${index + 1}`
}

function configurationOf(
  cases: readonly DeliveryCase[],
  main: string,
  common: { readonly routers?: string; readonly transports?: string; readonly retry?: string },
  home: string,
): string {
  const own = (text: string | undefined, i: number): string =>
    (text ?? '').replaceAll('NAME', nameOf(i)).replaceAll('DIR', join(home, nameOf(i)))
  const filters = cases.flatMap((one, i) =>
    one.filter === undefined
      ? []
      : [
          own(
            `NAME_filter:
  driver = redirect
  local_parts = NAME
  domains = x.example
  file = DIR/filter
  no_check_owner
  no_check_group
  modemask = 0
${one.options?.includes('allow_filter') === true ? '' : '  allow_filter\n'}  user = nobody
  router_home_directory = DIR
  file_transport = to_file
  directory_transport = to_directory
  pipe_transport = to_pipe
  reply_transport = to_reply
${own(one.options, i)}
`,
            i,
          ),
        ],
  )
  return `${main}
begin routers
${filters.join('')}${cases.map((one, i) => own(one.routers, i)).join('\n')}
${(common.routers ?? '').replaceAll('HOME', home)}
begin transports
${cases.map((one, i) => own(one.transports, i)).join('\n')}
${(common.transports ?? '').replaceAll('HOME', home)}
begin retry
${common.retry ?? '* * F,2h,15m'}
`
}

function deliverAll(
  { path, folder }: Program,
  cases: readonly DeliveryCase[],
  configuration: string,
  exim: string,
): Delivered[] {
  rmSync(folder, { recursive: true, force: true })
  for (const each of ['', 'spool', 'log']) {
    mkdirSync(join(folder, each), { recursive: true })
    chmodSync(join(folder, each), 0o777)
  }
  cases.forEach((one, i) => setUp(one, join(folder, nameOf(i)), nameOf(i)))
  writeFileSync(join(folder, 'names'), cases.map((_, i) => `${nameOf(i)}: ${nameOf(i)}\n`).join(''))
  const file = join(folder, 'exim.conf')
  writeFileSync(
    file,
    `spool_directory = ${folder}/spool\nlog_file_path = ${folder}/log/%slog\nexim_path = ${exim}\n${configuration}`,
    'latin1',
  )
  const program = path === postern ? join(folder, 'exim') : path
  if (path === postern) symlinkSync(path, program)
  const call = (args: readonly string[], input: string): void => {
    const done = spawnSync(program, ['-C', file, ...args], {
      encoding: 'latin1',
      input: Buffer.from(input, 'latin1'),
      timeout: 240_000,
      cwd: '/',
    })
    if (done.error !== undefined) throw done.error
    if (/configuration error/.test(done.stderr)) throw new Error(done.stderr)
  }
  call(['-odq', '-bS'], cases.map((one, i) => batchOf(one, nameOf(i))).join(''))
  call(['-qff'], '')
  // What the first run led to: answers.
  call(['-qff'], '')
  return readResults(folder, cases)
}

function setUp(one: DeliveryCase, folder: string, name: string): void {
  mkdirSync(folder)
  chmodSync(folder, 0o777)
  const files = {
    ...one.files,
    ...(one.filter !== undefined && { filter: one.filter.replaceAll('DIR', folder) }),
  }
  for (const [path, contents] of Object.entries(files)) {
    const { text, mode } = typeof contents === 'string' ? { text: contents, mode: 0o666 } : contents
    const whole = join(folder, path)
    if (path.endsWith('/')) mkdirSync(whole, { recursive: true })
    else writeFileSync(whole, text.replaceAll('DIR', folder).replaceAll('NAME', name), 'latin1')
    chmodSync(whole, path.endsWith('/') ? 0o777 : mode)
  }
}

function batchOf(one: DeliveryCase, name: string): string {
  const from = (one.from ?? 's@r.example').replaceAll('NAME', name)
  const text = (one.message ?? usualMessage).replaceAll('NAME', name).replaceAll(/^\./gm, '..')
  const to = (one.to ?? 'NAME@x.example').replaceAll('NAME', name).split(' ')
  const rcpt = to.map((address) => `RCPT TO:<${address}>\r\n`).join('')
  return `MAIL FROM:<${from.replaceAll(/[<>]/g, '')}>\r\n${rcpt}DATA\r\n${text.replaceAll('\n', '\r\n')}.\r\n`
}

const idPattern = /^\w{6}-\w{6,11}-\w{2,4}$/

const nothing: Delivered = { log: [], panic: [], files: {} }

function readResults(folder: string, cases: readonly DeliveryCase[]): Delivered[] {
  const main = linesById(join(folder, 'log', 'mainlog'))
  const panic = linesById(join(folder, 'log', 'paniclog'))
  // Messages came in the order of the cases; what they led to came later.
  const first = [...main].filter(([, lines]) => lines[0]?.startsWith('<= ') === true).slice(0, cases.length)
  return cases.map((_, i) => {
    const [id, lines] = first[i] ?? ['', []]
    return {
      log: lines.slice(1).map((line) => withoutChance(line, folder)),
      panic: (panic.get(id) ?? []).map((line) => withoutChance(line, folder)),
      files: filesBelow(join(folder, nameOf(i)), folder),
    }
  })
}

/** Lines of a log about each message, without time and id. */
function linesById(log: string): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const line of existsSync(log) ? readFileSync(log, 'latin1').split(/\n(?=\d{4}-)/) : []) {
    const match = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (\S+) ([\s\S]*)$/.exec(line.trimEnd())
    if (match === null || !idPattern.test(match[1] ?? '')) continue
    const lines = found.get(match[1] ?? '') ?? []
    lines.push(match[2] ?? '')
    found.set(match[1] ?? '', lines)
  }
  return found
}

/** Names, times and places that differ from program to program. */
export function withoutChance(text: string, folder: string): string {
  return text
    .replaceAll(folder, 'HOME')
    .replaceAll(/\b\w{6}-\w{6,11}-\w{2,4}\b/g, 'ID')
    .replaceAll(/ DT=\S+| QT=\S+/g, '')
    .replaceAll(/\d{10}\.M\d+P\d+\./g, 'UNIQUE.')
    .replaceAll(/\.lock\.\S+ \(/g, '.lock.UNIQUE (')
}

/** Everything but what was there before. */
function filesBelow(folder: string, home: string): Record<string, string> {
  const found: Record<string, string> = {}
  const walk = (path: string, shown: string): void => {
    for (const name of readdirSync(path).sort()) {
      // Where Exim remembers whom it has answered.
      if (name === 'vacation') continue
      const whole = join(path, name)
      if (lstatSync(whole).isDirectory()) walk(whole, `${shown}${withoutUnique(name)}/`)
      else found[`${shown}${withoutUnique(name)}`] = withoutTrace(readFileSync(whole, 'latin1'), home)
    }
  }
  walk(folder, '')
  return found
}

/** Names of maildir and the like. */
function withoutUnique(name: string): string {
  return name
    .replace(/^\d{10}\.[MHPVQ0-9]\w*\.[^:,]+/, 'UNIQUE')
    .replace(/^\w{6}-\w{6,11}-\w{2,4}-\w+/, 'ID')
    .replace(/^q\w{6}-\d+$/, 'UNIQUE')
    .replace(/\b1\d{9}\b/, 'TIME')
}

/** Received: and dates: they tell of the program and the time. */
function withoutTrace(text: string, home: string): string {
  return (
    withoutChance(text, home)
      // A server that is ended after it may not come to it.
      .replaceAll(/^QUIT\r\n/gm, '')
      .replaceAll(/^Received: [^\n]*\n(?:[ \t][^\n]*\n)*/gim, 'Received: ...\n')
      .replaceAll(/^\d+ 1$/gm, 'N 1')
      .replaceAll(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/gm, 'TIME')
      .replaceAll(/\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}/g, 'DATE')
      .replaceAll(/^Delivery-date: .*$/gm, 'Delivery-date: ...')
      .replaceAll(/\d+-eximdsn-\d+/g, 'BOUNDARY')
      .replaceAll(/^Message-Id: <E\S+@/gm, 'Message-Id: <ID@')
      .replaceAll(/^Date: .*$/gm, 'Date: ...')
  )
}
