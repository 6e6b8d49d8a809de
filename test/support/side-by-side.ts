/** A real Exim and Postern with the same configuration, each in a folder of its own: what both do is compared. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { withoutChance } from './delivery-compare.ts'
import { postern, temporaryFolder } from './server.ts'

const exim = process.env.POSTERN_TEST_EXIM4 ?? '/usr/sbin/exim4'

/** Why Exim cannot be compared with; false: it can. */
export const noExim: string | false = !existsSync(exim)
  ? 'no Exim on this machine to compare with'
  : process.getuid?.() !== 0
    ? 'needs root: Exim gives up its rights for a file given with -C'
    : false

export interface Side {
  readonly which: 'exim' | 'postern'
  readonly home: string
  /** Runs the program, one of its tools when the first word names one, or a command of `postern`; gives what it wrote to standard output. */
  run(args: readonly string[], input?: string): Promise<string>
  /** Lines of the main log without times and ids. */
  log(): string[]
  /** The id of the newest message, of either form. */
  lastId(): string
  file(name: string): string
  /** Changes the configuration. */
  configure(change: (text: string) => string): void
}

/** @param configuration `HOME` stands for the folder of the side */
export async function side(which: 'exim' | 'postern', folder: string, configuration: string): Promise<Side> {
  const home = join(folder, which)
  for (const name of ['', 'spool', 'log']) {
    mkdirSync(join(home, name), { recursive: true })
    chmodSync(join(home, name), 0o777)
  }
  const tools = join(home, 'tools')
  mkdirSync(tools)
  const program = which === 'exim' ? exim : join(tools, 'exim')
  if (which === 'postern')
    for (const name of ['exim', 'exim_dumpdb', 'exim_tidydb', 'exim_fixdb'])
      symlinkSync(postern, join(tools, name))
  const toolOf = (name: string): string => {
    const places =
      which === 'postern'
        ? [join(tools, name)]
        : [join(dirname(exim), name), join(dirname(exim), 'usr/sbin', name), join('/usr/sbin', name)]
    return places.find((path) => existsSync(path)) ?? name
  }
  const file = join(home, 'exim.conf')
  writeFileSync(
    file,
    `spool_directory = ${home}/spool
log_file_path = ${home}/log/%slog
exim_path = ${program}
keep_environment =
primary_hostname = mta.example
qualify_domain = mta.example
never_users =
trusted_users = root
tls_advertise_hosts =
${configuration.replaceAll('HOME', home)}`,
    'latin1',
  )
  const raw = (): string => {
    const path = join(home, 'log', 'mainlog')
    return existsSync(path) ? readFileSync(path, 'latin1') : ''
  }
  return {
    which,
    home,
    run(args, input = '') {
      const [first = '', ...rest] = args
      if (first === 'postern') return call(postern, [...rest, '-C', file], input)
      const isTool = first.startsWith('exim_')
      return call(isTool ? toolOf(first) : program, isTool ? rest : ['-C', file, ...args], input)
    },
    log: () =>
      raw()
        .trimEnd()
        .split(/\n(?=\d{4}-)/)
        .map((line) => withoutChance(line.replace(/^\S+ \S+ /, ''), home)),
    lastId: () => [...raw().matchAll(/^\S+ \S+ (\S+) <= /gm)].at(-1)?.[1] ?? '',
    configure: (change) => writeFileSync(file, change(readFileSync(file, 'latin1')), 'latin1'),
    file: (name) => {
      const path = join(home, name)
      return existsSync(path) ? readFileSync(path, 'latin1') : ''
    },
  }
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

export interface Scenario {
  /** Told what it sees, a line each, in the same words for both. */
  readonly play: (side: Side) => Promise<readonly string[]>
  readonly configuration: string
}

/** Plays a scenario with both programs; what they show must be the same, and is given back. */
export async function bothShow({ configuration, play }: Scenario): Promise<readonly string[]> {
  const folder = temporaryFolder('side-by-side')
  try {
    const ours = await play(await side('postern', folder.path, configuration))
    if (noExim === false) {
      const theirs = await play(await side('exim', folder.path, configuration))
      assert.deepEqual(ours, theirs)
    }
    return ours
  } finally {
    folder.remove()
  }
}

/** A message of known length. */
export const plainMessage = `From: a@a.example
To: b@b.example
Subject: hello
Message-Id: <one@a.example>
Date: Thu, 1 Jan 2026 00:00:00 +0000

body
`
