/** What a message becomes on its way: random headers and options, submitted in all ways, compared as they are delivered. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { postern } from '../../support/server.ts'
import type { Random } from '../random.ts'
import { exim, runProgram } from './ask.ts'
import { differingLines, meantBy, type Reason, withoutLines } from './dialogue-forms.ts'
import { headersCase, headersConfiguration } from './headers-grammar.ts'
import { manyAtOnce } from './many.ts'
import type { BesideBench, BesideTarget } from './target.ts'

/** A case is a line of arguments and settings between `;`, and what comes on standard input. */
function makeBench(): BesideBench {
  const folder = mkdtempSync(join(tmpdir(), 'postern-headers-'))
  chmodSync(folder, 0o755)
  let made = 0
  const answer = async (program: string, ours: boolean, text: string): Promise<string> => {
    const place = join(folder, String(made++))
    for (const path of [place, join(place, 'spool'), join(place, 'log'), join(place, 'mail')]) {
      mkdirSync(path)
      // Each writes as its own user.
      chmodSync(path, 0o777)
    }
    const [first = '', ...lines] = text.split('\n')
    const [args = '', ...settings] = first.split(';')
    const file = join(place, 'exim.conf')
    writeFileSync(file, headersConfiguration(place, settings, ours, program), 'latin1')
    const given = args.split(' ').map((one) => one.replaceAll('_', ' '))
    // An Exim that gave up root for -C delivers nothing by itself.
    const { out, problems } = await runProgram(
      program,
      ['-C', file, ours ? '-odi' : '-odq', ...given],
      lines.map((line) => bytesOf(`${line}\n`)).join(''),
    )
    if (!ours) await runProgram(program, ['-C', file, '-qf'], '')
    const mail = readdirSync(join(place, 'mail')).toSorted()
    const all = [
      out,
      // Exim shows lines of the panic log here, too.
      problems.replaceAll(place, 'PLACE').replaceAll(/^\d{4}-\d\d-\d\d .*\n/gm, ''),
      ...mail.flatMap((name) => [`=== ${name}`, readFileSync(join(place, 'mail', name), 'latin1')]),
      '--- main',
      contents(join(place, 'log', 'mainlog')).replaceAll(
        /^.* (?:(?:Start|End) queue run|=> |Completed).*\n/gm,
        '',
      ),
    ]
    rmSync(place, { recursive: true, force: true, maxRetries: 5 })
    return alike(all.join('\n').replaceAll(place, 'PLACE'))
  }
  return {
    batch: 24,
    generate: (random: Random) => headersCase(random),
    takes: (input) => input.startsWith('-'),
    smaller: withoutLines,
    form: differingLines,
    exim: (cases) => manyAtOnce(cases, (text) => answer(exim, false, text)),
    ours: (cases) => manyAtOnce(cases, (text) => answer(postern, true, text)),
    meant: (input, ours, exims) => meantBy(reasons, input, ours, exims),
    close: () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }),
  }
}

function contents(path: string): string {
  return existsSync(path) ? readFileSync(path, 'latin1') : ''
}

function bytesOf(line: string): string {
  return line.replaceAll('{CR}', '\r').replaceAll('{NUL}', '\0').replaceAll('{TAB}', '\t')
}

/** Times and ids are not the same twice. */
function alike(text: string): string {
  return text
    .replaceAll(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d /gm, '')
    .replaceAll(
      /\b[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{6}-[0-9A-Za-z]{2}|[0-9A-Za-z]{11}-[0-9A-Za-z]{4})(?:-[HD])?\b/g,
      'ID',
    )
    .replaceAll(/E[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{6}-[0-9A-Za-z]{2})/g, 'EID')
    .replaceAll(/\b\w{3}, \d\d \w{3} \d{4} [\d:]{8} [-+]\d{4}/g, 'DATE')
    .replaceAll(/\bby mx.example with (\S+) \((?:Exim|Postern) [\d.]+\)/g, 'by mx.example with $1 (PROGRAM)')
    .replaceAll(/^220 mx.example ESMTP .*$/gm, '220 BANNER')
    .replaceAll(/^250-(?:LIMITS .*|PIPECONNECT)\r?\n/gm, '')
    .replaceAll(/ (QT|DT|RT|D)=[\d.]+m?s/g, ' $1=TIME')
    .replaceAll(/^postern: /gm, 'exim: ')
    .replaceAll(/^Exim configuration error[^]*/gm, 'Exim configuration error')
    .replaceAll(/\n\n+$/g, '\n')
}

/** docs/decisions/smtp-reception-and-exim.md and its neighbours tell them. */
const reasons: readonly Reason[] = [
  {
    why: 'the envelope sender is rewritten at MAIL: its lines of the log come first and have no id',
    even: (text) =>
      text.replaceAll(
        /^(?:ID )?(?:".*" from env-(?:from|to) rewritten|Rewrite of |rewrite rule repeat ).*\n/gm,
        '',
      ),
  },
  { why: 'all of a message that is too big is read', even: (text) => text.replaceAll(/read=\d+/g, 'read=N') },
  {
    why: 'what is wrong with an address that a rule does not rewrite',
    even: (text) => text.replaceAll(/^ID rewrite: [^]*?\n(?=ID |"|$|R)/gm, ''),
  },
  { why: 'P=utf8esmtp', even: (text) => text.replaceAll('P=utf8', 'P=') },
  {
    why: '-t takes arguments with and without a domain for one',
    when: /^-[^;\n]* -t m[^]*^(?:To|Cc|Bcc)[^\n]*[ <,:]m\d(?!@)/im,
  },
  { why: 'pipelining on standard input', even: (text) => text.replaceAll(/ L[-*]? S=/g, ' L S=') },
  { why: 'domain literals outside brackets', when: /@\[/ },
  { why: 'bytes beyond ASCII in a domain that are no UTF-8', when: /@j\xfc/ },
  {
    why: 'T= of a Subject with white space before its colon',
    when: /^subject\s+:/im,
    even: (text) => text.replaceAll(/ T="(?:[^"\\]|\\.)*"/g, ''),
  },
  { why: 'a name for submission whose quote does not end', when: /submission\/name="x/ },
  { why: 'a name for submission of a local caller', when: /submission\/name=Joe D/ },
  { why: 'encoded words that Exim reads otherwise', when: /\$h_subject:[^]*=\?(?:x\?q|utf-8\?b)/ },
  { why: 'headers that are too big', when: /;message_size_limit/ },
  { why: 'the process ends', theirs: /SIGSEGV|failed to read delivery status/ },
  { why: 'Resent-Message-Id: that was added is logged', even: (text) => text.replaceAll(/ id\*=\S+/g, '') },
  {
    why: 'a line that begins as a message of a mailbox is escaped among headers, too',
    even: (text) => text.replaceAll(/^>From /gm, 'From '),
  },
  {
    why: 'the default of Received: names the program',
    when: /;@received/,
    even: (text) => text.replaceAll(/ S=\d+/g, ''),
  },
  {
    why: 'P=utf8esmtp of the message before',
    when: /SMTPUTF8/,
    even: (text) => text.replaceAll(/ S=\d+/g, '').replaceAll('utf8local', 'local'),
  },
  {
    why: 'a bad address of -t is shown alone',
    even: (text) => text.replace(/^exim: invalid address[^]*?\n(?===|---)/m, 'exim: invalid address\n'),
  },
]

export const headers: BesideTarget = {
  name: 'headers',
  says: 'random messages are delivered with the headers that Exim gives them',
  seed: 1,
  // Two processes a case: too slow here.
  cases: 0,
  make: makeBench,
}
