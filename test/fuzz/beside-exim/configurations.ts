/** Whole configurations: what is refused, where, in which words; and what `-bP` shows of those that are taken. */
import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Diagnostic, locate } from '../../../src/base/diagnostic.ts'
import { renderDiagnostic } from '../../../src/base/diagnostic-frame.ts'
import { mainOptions } from '../../../src/language/config/options/main.ts'
import { printConfiguration } from '../../../src/language/config/print.ts'
import { collectRegistries } from '../../../src/server/registries.ts'
import { checkAll } from '../../../src/tools/inspect/check-all.ts'
import { debianConfiguration, debianRoot, debianTypes } from '../../support/debian-configuration.ts'
import { recipesFolder } from '../../support/recipes-servers.ts'
import type { Random } from '../random.ts'
import { exim, runExim } from './ask.ts'
import { change, included, small } from './configuration-grammar.ts'
import { manyAtOnce } from './many.ts'
import type { BesideTarget } from './target.ts'

/** Before each case: what both need to find themselves. */
const prologue = `spool_directory = FOLDER/spool
log_file_path = syslog
primary_hostname = mx.example.org
keep_environment =
`
const prologueLines = prologue.split('\n').length - 1
/** What the prologue sets, and what is worked out when the program starts. */
const startOptions = new Set(
  'spool_directory log_file_path primary_hostname keep_environment exim_path exim_user exim_group pid_file_path qualify_domain qualify_recipient'.split(
    ' ',
  ),
)

/** A process that says nothing for so long hangs. */
const longestMilliseconds = 10_000

/** Configurations of real servers. */
function wholeOnes(): string[][] {
  const texts = readdirSync(recipesFolder).flatMap((recipe) => {
    try {
      return [readFileSync(join(recipesFolder, recipe, 'exim.conf'), 'latin1')]
    } catch {
      return []
    }
  })
  const debian = debianRoot()
  if ('root' in debian) {
    texts.push(
      readFileSync(join(debian.root, 'usr/share/doc/exim4-base/examples/example.conf'), 'latin1'),
      ...debianTypes.map((type, i) => debianConfiguration(debian.root, type, i % 2 === 0)),
    )
  }
  return texts.map((text) =>
    text
      .replaceAll('Debian-exim', 'mail')
      .replaceAll(/\b(user|group|owners?) = (?:alice|bob)\b/g, '$1 = mail')
      .replaceAll('DOVECOT', '/run/dovecot')
      .replaceAll('CERTS', 'FOLDER/certs')
      .replaceAll('HOME', 'FOLDER')
      .split('\n')
      .filter((line) => !startOptions.has(/^\s*(\w+)/.exec(line)?.[1] ?? ''))
      .filter((line, _, all) => !/^\s*#|^\s*$/.test(line) || all.length < 60),
  )
}

export const configurations: BesideTarget = {
  name: 'configurations',
  says: 'random configurations are taken and refused as by Exim',
  seed: 1,
  cases: 0,
  async make() {
    const folder = mkdtempSync(join(tmpdir(), 'postern-configurations-'))
    chmodSync(folder, 0o755)
    for (const name of ['spool', 'inc']) mkdirSync(join(folder, name))
    chmodSync(join(folder, 'spool'), 0o777)
    for (const [name, text] of Object.entries(included))
      writeFileSync(join(folder, 'inc', name), text.replaceAll('FOLDER', folder), 'latin1')
    const whole = wholeOnes()
    const registries = collectRegistries()
    const known = await optionsOf(folder)
    let next = 0
    const place = (text: string): string => {
      const file = join(folder, `case${next++ % 5000}`)
      writeFileSync(file, (prologue + text).replaceAll('FOLDER', folder), 'latin1')
      return file
    }
    const bare = (text: string, file: string): string =>
      text.replaceAll(file, 'CASE').replaceAll(folder, 'FOLDER')
    return {
      batch: 200,
      generate(random: Random) {
        const lines = random.below(3) === 0 ? [...random.pick(whole)] : small(random, known.all)
        for (let i = random.below(3); i > 0; i--) change(lines, random, known.all)
        if (lines.length === 0) lines.push('queue_only')
        return `${lines.join('\n')}\n`
      },
      smaller: smallerLines,
      form: formOf,
      async exim(cases) {
        return manyAtOnce(cases, async (text) => {
          const file = place(text)
          const names = namesOf(text, known.main)
          const shown = await run(['-C', file, '-bP', ...(text.length % 2 === 0 ? names : ['config'])])
          if (shown.status !== 0 && !/is not a known option/.test(shown.out))
            return bare(refusal(shown.problems + shown.out), file)
          return bare(`taken\n${shown.out}`, file)
        })
      },
      async ours(cases) {
        const answers: string[] = []
        for (const text of cases) {
          const file = place(text)
          // Time of the processor: others use this machine too.
          const began = process.cpuUsage()
          try {
            answers.push(bare(await oursOf(text, file), file))
          } catch (problem) {
            answers.push(`threw ${problem instanceof Error ? problem.stack : String(problem)}`)
          }
          if (process.cpuUsage(began).user > 3_000_000) answers[answers.length - 1] = 'slow'
        }
        return answers
      },
      meant(input, ours, theirs) {
        return reasonFor(input, ours, theirs)
      },
      close: () => rmSync(folder, { recursive: true, force: true }),
    }

    async function oursOf(text: string, file: string): Promise<string> {
      // As `postern check` does, which must take everything too.
      const checked = await checkAll({ files: [file], anyOwner: true })
      if (checked.is === 'none') return checked.message
      const { configuration, found } = checked
      const lost = found.find((each) => each.at === undefined || !renderDiagnostic(each).includes('\n'))
      if (lost !== undefined) return `no place: ${lost.message}`
      const fatal = configuration.diagnostics.filter(
        (each) => each.severity === 'error' && each.fatal !== false,
      )
      if (fatal.length > 0) return fatal.map((each) => oneOf(each)).join('\n')
      const ask = (names: readonly string[]): string =>
        printConfiguration({
          configuration,
          registries,
          names,
          admin: true,
          version: '4.96',
          groupOf: () => undefined,
        }).output
      return `taken\n${ask(text.length % 2 === 0 ? namesOf(text, known.main) : ['config'])}`
    }
  },
}

function oneOf({ at, message }: Diagnostic): string {
  if (at === undefined) return `- ${message}`
  const { file, line, through } = locate(at)
  const outermost = through.at(-1)?.usedAt
  const place = outermost === undefined ? { file, line } : outermost
  return `${place.file}:${numbered(place.file, place.line)} ${message}`
}

/** Lines count behind the prologue. */
function numbered(file: string, line: number): number {
  return /case\d+$/.test(file) ? line - prologueLines : line
}

/** Exim's sentence, of one line, and its place. */
function refusal(said: string): string {
  if (/SIG[A-Z]+/.test(said)) return `refused: ${said.slice(0, 300)}`
  const found =
    /Exim configuration error(?: in line (\d+) of (\S+?)| for ([^\n]*?))?:\n((?: {2}[^\n]*\n?)+)/.exec(said)
  if (found === null) {
    const [, sentence] = /PANIC DIE\n {2}([^\n]*)/.exec(said) ?? /^\S+ \S+ ([^\n]*)/.exec(said) ?? []
    return sentence === undefined ? `refused: ${said.slice(0, 300)}` : `- ${sentence}`
  }
  const [, line, file = '', instance, sentence = ''] = found
  const text = sentence.replace(/\n\s*/g, ' ').trim()
  if (line === undefined) return instance === undefined ? `- ${text}` : `- ${instance}: ${text}`
  return `${file}:${numbered(file, Number(line))} ${text}`
}

/** A driver of each kind that is tried. */
const oneOfEach = `begin routers
a:
 driver = accept
 verify_only
b:
 driver = dnslookup
 verify_only
c:
 driver = redirect
 data = x
d:
 driver = ipliteral
 verify_only
e:
 driver = manualroute
 verify_only
 route_data = x
f:
 driver = queryprogram
 verify_only
 command = /x
 command_user = root
begin transports
a:
 driver = smtp
b:
 driver = appendfile
c:
 driver = pipe
d:
 driver = autoreply
e:
 driver = lmtp
 socket = /x
begin authenticators
a:
 driver = plaintext
 public_name = A
b:
 driver = cram_md5
 public_name = B
 server_secret = x
c:
 driver = dovecot
 public_name = C
d:
 driver = external
 public_name = D
e:
 driver = tls
 public_name = E
f:
 driver = spa
 public_name = F
`

async function optionsOf(folder: string): Promise<{ main: ReadonlySet<string>; all: ReadonlySet<string> }> {
  const file = join(folder, 'options')
  writeFileSync(file, (prologue + oneOfEach).replaceAll('FOLDER', folder))
  const names = async (words: readonly string[]): Promise<string[]> => {
    const { out } = await runExim(['-C', file, '-bP', ...words], '')
    return out
      .split('\n')
      .map((line) => line.replace(/^no_/, '').replace(/ .*/, ''))
      .filter((name) => /^\w+$/.test(name))
  }
  const main = new Set(await names([]))
  return { main, all: new Set([...main, ...(await names(['routers', 'transports', 'authenticators']))]) }
}

/** What -bP is asked for. */
function namesOf(text: string, known: ReadonlySet<string>): string[] {
  const names = new Set<string>()
  for (const line of text.split('\n')) {
    const word = /^\s*(?:hide\s+)?(?:no_|not_)?([a-z]\w+)/.exec(line)?.[1] ?? ''
    if (known.has(word) && Object.hasOwn(mainOptions, word) && !startOptions.has(word)) names.add(word)
  }
  const lists = [...text.matchAll(/^\s*(?:hide\s+)?\w+list(?:_cache)?\s+(\w+)/gm)].map(
    (each) => `+${each[1]}`,
  )
  return [
    ...names,
    ...lists,
    'router_list',
    'transport_list',
    'authenticator_list',
    'macros',
    'routers',
    'transports',
    'authenticators',
  ]
}

interface Ran {
  readonly out: string
  readonly problems: string
  readonly status: number
}

function run(args: readonly string[]): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(exim, args, {
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: longestMilliseconds,
    })
    const out: Buffer[] = []
    const problems: Buffer[] = []
    child.stdout.on('data', (bytes: Buffer) => out.push(bytes))
    child.stderr.on('data', (bytes: Buffer) => problems.push(bytes))
    child.once('error', reject)
    child.once('close', (code, signal) =>
      resolve({
        out: Buffer.concat(out).toString('latin1'),
        problems: Buffer.concat(problems).toString('latin1') + (signal === null ? '' : `(${signal})`),
        status: code ?? -1,
      }),
    )
  })
}

/** So many smaller forms of a case are tried at once: each takes Exim a process. */
const mostForms = 80

function smallerLines(input: string): string[] {
  const lines = input.replace(/\n$/, '').split('\n')
  const forms = new Set<string>()
  const without = (start: number, count: number): void => {
    const rest = [...lines.slice(0, start), ...lines.slice(start + count)]
    if (rest.length < lines.length) forms.add(`${rest.join('\n')}\n`)
  }
  const parts = lines.length > 24 ? 8 : lines.length
  const size = Math.ceil(lines.length / parts)
  for (let start = 0; start < lines.length; start += size) without(start, size)
  if (lines.length > 24)
    for (const half of [0, Math.ceil(lines.length / 2)]) without(half, Math.ceil(lines.length / 2))
  if (lines.length <= 6)
    for (const [i, line] of lines.entries()) {
      const put = (text: string): void => {
        if (text.length < line.length)
          forms.add(`${[...lines.slice(0, i), text, ...lines.slice(i + 1)].join('\n')}\n`)
      }
      for (const length of [1, 2, 4, 16, 64, 5000])
        for (let at = 0; at + length <= line.length && at < 120; at += Math.max(1, length >> 1))
          put(line.slice(0, at) + line.slice(at + length))
    }
  return [...forms].toSorted((a, b) => a.length - b.length).slice(0, mostForms)
}

/** What a driver or the start makes of these is not told by the settings alone: docs/decisions/reading-a-configuration.md. */
const workedOut = new Set(
  'check_owner check_group use_lockfile use_fcntl_lock group command_group message_prefix message_suffix check_string escape_string tls_require_ciphers remote_max_parallel local_interfaces log_as_local client_name trusted_users never_users public_name user quota_warn_message set headers_add recipients_max queue_only_load smtp_load_reserve deliver_queue_load_max smtp_banner gnutls_compat_mode'.split(
    ' ',
  ),
)

function plain(text: string): string {
  return text
    .replace(/"[^"]*"/g, '"')
    .replace(/\S+:-?\d+ /g, '')
    .replace(/\d+/g, '0')
}

function formOf(ours: string, theirs: string): string {
  const kind = (text: string): string =>
    text.startsWith('taken') ? 'taken' : plain(text.split('\n')[0] ?? '').slice(0, 50)
  if (ours.startsWith('taken') && theirs.startsWith('taken')) {
    const { mine, others } = listingDifference(ours, theirs)
    return `listing ${(mine ?? others ?? '').replace(/[^a-z_].*/, '')}`
  }
  return JSON.stringify([kind(ours), kind(theirs)])
}

/** The first lines that differ, of options that both know. */
export function listingDifference(
  ours: string,
  theirs: string,
): { mine?: string | undefined; others?: string | undefined } {
  const nameOf = (line: string): string => line.trim().replace(/^no_/, '').replace(/ .*/, '')
  // Which runs of spaces become one differs.
  const linesOf = (text: string): string[] => text.split('\n').map((line) => line.replace(/[ \t]+/g, ' '))
  const [all, known] = [linesOf(ours), linesOf(theirs)]
  const [names, ourNames] = [new Set(known.map(nameOf)), new Set(all.map(nameOf))]
  const kept = (line: string): boolean => !/^ *_/.test(line) && !workedOut.has(nameOf(line))
  const mine = all.filter((line) => names.has(nameOf(line)) && kept(line))
  const others = known.filter((line) => ourNames.has(nameOf(line)) && kept(line))
  // The last part is the text itself.
  const at = mine.findIndex((line, i) => line !== others[i])
  if (at !== -1) return { mine: mine[at], others: others[at] }
  const lost = known.find((line) => /^[A-Z]|^ /.test(line) && !ourNames.has(nameOf(line)))
  return mine.length < others.length ? { mine: undefined, others: others[mine.length] } : { others: lost }
}

/** Without the place and the name of the instance, which Exim may put before it. */
function sentenceOf(text: string): string {
  return text
    .replace(/^\S+:-?\d+ |^- /, '')
    .replace(/^\w+ (?:router|transport|authenticator): /, '')
    .replace(/\s+/g, ' ')
    .trim()
}

type Reason = readonly [string, (input: string, ours: readonly string[], exim: string) => boolean]
const input =
  (form: RegExp) =>
  (text: string): boolean =>
    form.test(text)
const ourSaid =
  (form: RegExp) =>
  (_: string, ours: readonly string[]): boolean =>
    ours.some((each) => form.test(each))
const eximSaid =
  (form: RegExp) =>
  (_: string, __: readonly string[], exim: string): boolean =>
    form.test(exim)

/** Reasons why what is said differs, and how they are known. Most stand in docs/decisions/reading-a-configuration.md. */
const reasons: readonly Reason[] = [
  ['more than the first is told', (_, ours, exim) => ours.includes(exim)],
  [
    'the same words at a better place',
    (_, ours, exim) => ours.some((each) => sentenceOf(each) === sentenceOf(exim)),
  ],
  ['no input ends a process', eximSaid(/^refused: .*(?:SIG[A-Z]+)/s)],
  ['a NUL ends a text in Exim', input(/\0|"[^"\n]*\\(?:0|x(?![\da-f]))/i)],
  ['.endif with a carriage return is none in Exim', input(/^\s*\.(?:endif|else)[^\n]*\r/m)],
  ['the white space of an 8-bit character set', input(/[\f\v\xa0\xe4]|[^\r]*\r(?!\n)/)],
  ['names and words may be long', input(/\w{60}/)],
  ['one library or the other', eximSaid(/we're using GnuTLS/)],
  [
    'names of other versions',
    eximSaid(/condition\/modifier in "(?:\w+\s+)?!?\s*(?:dmarc_status|dkim_)|option "?(?:dmarc|spf)_/),
  ],
  ['what does not work here is told', ourSaid(/does not work in this version|(?:is|are) not supported/)],
  [
    'a mistake that mail would meet',
    ourSaid(
      /is neither an absolute path nor|\.include must be followed|shadow transport .* is not defined|time value for once_repeat|setting for protocol|unknown ldap_require_cert/,
    ),
  ],
  [
    'an instance has a name',
    ourSaid(/name missing$|option setting expected: :|cannot find \w+ driver "\\?.?"$/),
  ],
  ['a section that is repeated is told where it begins', ourSaid(/section is repeated/)],
  ['what is passed over for want of an .endif', ourSaid(/\.endif missing$/)],
  [
    'what the start finds out is not asked for here',
    eximSaid(
      /^(?:\S+ )?failed to expand (?:\w+_(?:users|groups|path|number|user|group))|(?:user|group) .* was not found|initgroups/,
    ),
  ],
  [
    'a number with a sign',
    (_, ours, exim) =>
      /integer "-\S+" is too large|user set without group/.test(exim) ||
      ours.some((each) => each.includes('"-2147483648"')),
  ],
  ['recipients_max may be expanded', eximSaid(/integer expected for recipients_max/)],
  [
    'other words',
    eximSaid(/malformed numeric log_selector|main option "" unknown|comma or semicolon expected/),
  ],
  ['escapes are shown as they are written', input(/"[^"\n]*\\\d/)],
  [
    'an odd sign where an ACL begins, or a verb',
    eximSaid(/malformed ACL line "!|missing or malformed ACL name/),
  ],
  ['a long name of a section is cut', eximSaid(/is not a known configuration section name/)],
]

function reasonFor(text: string, ours: string, theirs: string): string | undefined {
  if (/^(?:threw|no place)|^slow$/.test(ours)) return undefined
  if (ours.startsWith('taken') && theirs.startsWith('taken')) {
    const { mine, others } = listingDifference(ours, theirs)
    if (mine === undefined && others === undefined) return 'options of other versions'
    return reasons.find(([says, holds]) => /NUL|white space/.test(says) && holds(text, [], theirs))?.[0]
  }
  const all = ours.startsWith('taken') ? [] : ours.split('\n')
  return reasons.find(([, holds]) => holds(text, all, theirs))?.[0]
}
