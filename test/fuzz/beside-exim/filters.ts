/** Random Exim filters and Sieve scripts: what `-bf` of both says that they do with a message. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { filterConfiguration, filterMessage, ourFilter } from '../../support/filter-bench.ts'
import type { Random } from '../random.ts'
import { runExim } from './ask.ts'
import { manyAtOnce } from './many.ts'
import type { BesideBench, BesideTarget } from './target.ts'

function makeBench(generate: (random: Random) => string, first: string): BesideBench {
  const folder = mkdtempSync(join(tmpdir(), 'postern-filters-'))
  chmodSync(folder, 0o755)
  const spool = join(folder, 'spool')
  mkdirSync(spool)
  chmodSync(spool, 0o777)
  const file = join(folder, 'exim.conf')
  writeFileSync(
    file,
    `spool_directory = ${spool}\nlog_file_path = ${spool}/%slog\nkeep_environment =\n${filterConfiguration}`,
  )
  let made = 0
  return {
    batch: 200,
    generate,
    exim: (cases) =>
      manyAtOnce(cases, async (text) => {
        const filter = join(folder, `filter${made++ % 1000}`)
        writeFileSync(filter, `${first}${text}\n`, 'latin1')
        const { out } = await runExim(['-C', file, '-bf', filter], filterMessage)
        const lines = out.replace(/\n$/, '').split('\n')
        return withoutLine(lines.slice(lines.indexOf('') + 1).join('\n'))
      }),
    async ours(cases) {
      const answers: string[] = []
      for (const text of cases) answers.push(withoutLine(await ourFilter(`${first}${text}\n`)))
      return answers
    },
    meant: (input, ours, exim) => reasons.find(([, holds]) => holds(input, ours, exim))?.[0],
    close: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** The line that Exim names is one too far when it has looked ahead. */
function withoutLine(text: string): string {
  return text.replace(/(near|in) line \d+/g, '$1 line N')
}

/** Reasons, and how they are known; docs/decisions/filters.md tells them. */
const reasons: readonly (readonly [string, (input: string, ours: string, exim: string) => boolean])[] = [
  ['what is no address is an error of the script', (_, ours) => ours.includes('invalid recipient address')],
  ['a script is checked as a whole first', (_, ours) => ours.startsWith('Sieve error')],
  [
    'errors_to without a value, a lone quote, a parenthesis too few: other words',
    (input, ours) => ours.includes('Filter error') && /errors_to(?:\s*$|\s*\n)|"\s*$|\(/.test(input),
  ],
  ['what is no address: other words', (_, ours) => ours.includes('malformed address')],
  ['i;ascii-numeric compares numbers', (input) => input.includes('ascii-numeric')],
]

const words = [
  'a',
  'b',
  'Bill',
  'hello',
  '"hello world"',
  '"a b"',
  '""',
  '$h_subject:',
  '$h_from:',
  '"$h_to:"',
  '$h_x-n:',
  '$h_none:',
  '"\\\\N(.)"',
  '5',
  '10k',
  '-1',
  '"x\\\\ny"',
  '$sender_address',
  '$local_part',
  '$domain',
  '"${if eq{a}{a}{yes}{no}}"',
  '$n1',
  '$1',
  '$0',
  '"${lc:ABC}"',
  'me@x.example',
  'if',
  '"("',
  '$h_utf:',
  '$message_body',
  '$message_size',
  '"a\\"b"',
  "'a'",
  '\\\\x',
  '$thisaddress',
  '"^h(.)"',
  'a,b',
  'a(b',
]

function eximFilter(random: Random): string {
  const { pick, below } = random
  const chance = (percent: number): boolean => below(100) < percent
  const word = (): string => pick(words)
  const gap = (): string => (chance(6) ? pick(['\n', '  ', '\t', ' # x\n', '']) : ' ')
  const condition = (depth: number): string => {
    const tests = [
      'is',
      'is not',
      'IS',
      'contains',
      'CONTAINS',
      'does not contain',
      'begins',
      'BEGINS',
      'does not begin',
      'ends',
      'ENDS',
      'does not end',
      'matches',
      'MATCHES',
      'does not match',
      'is above',
      'is below',
      'is not above',
      'is not below',
      'contain',
      'begin',
      'end',
      'match',
    ]
    const one = (): string =>
      pick([
        () => `${word()} ${pick(tests)} ${word()}`,
        () => `${word()} ${pick(tests)} ${word()}`,
        () => `${word()} ${pick(tests)} ${word()}`,
        () =>
          pick([
            'first_delivery',
            'manually_thawed',
            'error_message',
            'delivered',
            'personal',
            'personal alias joe@a.b',
            'not personal',
            'nosuch',
            'delivered ',
          ]),
        () => `foranyaddress ${word()} (${condition(depth - 1)})`,
        () => `not ${word()} is ${word()}`,
      ])()
    if (depth <= 0) return one()
    return pick([
      one,
      one,
      () => `(${condition(depth - 1)})`,
      () => `${condition(depth - 1)} ${pick(['and', 'or'])} ${condition(depth - 1)}`,
      () => `not (${condition(depth - 1)})`,
      () => `( ${condition(depth - 1)} ) ${pick(['and', 'or'])} ( ${condition(depth - 1)} )`,
    ])()
  }
  const command = (depth: number): string => {
    const address = (): string =>
      pick([
        'a@b',
        'joe',
        '"Joe <a@b>"',
        '$h_from:',
        '"a@b, c@d"',
        '""',
        'a@b.c.',
        '"a b@c"',
        '$sender_address',
        '"|x"',
        '/x',
        ':fail:',
        'root@x.example',
      ])
    const plain = [
      () => `deliver ${address()}${pick(['', '', ' errors_to a@b', ' errors_to ""', ' errors_to'])}`,
      () =>
        `save ${pick(['box', '/tmp/x', '"a b"', '$home/mail/x', '""', '/tmp/$h_subject:', 'x/'])}${pick(['', '', ' 600', ' 0644', ' x', ' 99'])}`,
      () => `pipe ${pick(['x', '"/bin/x a b"', '"$home/x"', '""', '"/bin/x $1"'])}`,
      () =>
        `${pick(['unseen ', 'seen ', 'noerror ', 'unseen noerror ', ''])}${pick(['deliver a@b', 'save box', 'pipe x', 'finish', 'fail', 'testprint x'])}`,
      () =>
        pick([
          'finish',
          'seen finish',
          'unseen finish',
          'noerror finish',
          'freeze',
          'fail',
          'fail text "no"',
          'defer',
          'freeze text x',
          'stop',
        ]),
      () =>
        `add ${pick(['1', '-2', '$n1', 'x', '2147483647', '"1 "', '1k', '""'])} to ${pick(['n1', 'n2', 'n9', 'n10', 'sn1', 'x'])}`,
      () => `testprint ${pick([word(), '"$n1 $n2"', '"[$1]"', '"$h_to:"'])}`,
      () => `logfile ${pick(['/tmp/log', 'log', '"$home/log"', '""'])}`,
      () => `logwrite ${word()}`,
      () =>
        `headers ${pick(['add "X-A: b"', 'remove x-n', 'add', 'charset utf-8', 'charset', 'charset "iso-8859-1"', 'remove "a:b"'])}`,
      () =>
        `${pick(['mail', 'vacation'])}${many([() => ` to ${address()}`, () => ` subject ${word()}`, () => ` text ${word()}`, () => ' expand', () => ` file ${pick(['/tmp/x', 'x', '.vacation.msg'])}`, () => ' return message', () => ' once x', () => ' log x', () => ` once_repeat ${pick(['1d', 'x', '1h1h', '0'])}`, () => ` from ${address()}`, () => ` cc ${address()}`, () => ` bcc ${address()}`, () => ` reply_to ${address()}`, () => ' extra_headers "X: y"', () => ' never_mail a@b', () => ' x y'])}`,
    ]
    if (depth <= 0 || chance(55)) return pick(plain)()
    return `if ${condition(2)}${gap()}then ${commands(depth - 1)}${chance(30) ? ` elif ${condition(1)} then ${commands(depth - 1)}` : ''}${chance(40) ? ` else ${commands(depth - 1)}` : ''}${gap()}endif`
  }
  function many(made: readonly (() => string)[]): string {
    return Array.from({ length: below(4) }, () => pick(made)()).join('')
  }
  const commands = (depth: number): string =>
    Array.from({ length: 1 + below(3) }, () => command(depth)).join(gap())
  return spoiled(commands(2), random)
}

function sieveScript(random: Random): string {
  const { pick, below } = random
  const chance = (percent: number): boolean => below(100) < percent
  const string = (): string =>
    pick([
      '"a"',
      '"subject"',
      '"from"',
      '"to"',
      '"hello*"',
      '"*"',
      '"?ello world"',
      '"Hello world"',
      '"bill@a.example"',
      '"a.example"',
      '"bill"',
      '""',
      '"x-n"',
      '"5"',
      '"x-none"',
      '"\\\\*"',
      '"J?rgen"',
      '"J\xc3\xbcrgen"',
      '"me"',
      '"you"',
      '"a\\"b"',
      '"${hex:40}"',
      '"x-utf"',
      'text:\na\n.\n',
      '"Hello World"',
      '"X.EXAMPLE"',
      '"[a"',
      '"date"',
    ])
  const strings = (): string =>
    chance(65) ? string() : `[${Array.from({ length: below(4) }, string).join(pick([',', ', ', ' ,']))}]`
  const header = (): string =>
    chance(60)
      ? pick([
          '"subject"',
          '"from"',
          '"to"',
          '["to", "cc"]',
          '"x-n"',
          '"x-none"',
          '["x-none","subject"]',
          '"X-UTF"',
          '"message-id"',
          '"a b"',
          '"from:"',
        ])
      : strings()
  const match = (): string =>
    pick([
      '',
      '',
      ':is',
      ':contains',
      ':matches',
      ':comparator "i;octet"',
      ':comparator "i;ascii-casemap"',
      ':comparator "i;ascii-casemap" :is',
      ':comparator "en;ascii-casemap"',
      ':comparator "x"',
      ':is :contains',
      ':matches :comparator "i;octet"',
      ':regex',
      ':IS',
    ])
  const part = (): string =>
    pick(['', '', ':all', ':localpart', ':domain', ':user', ':detail', ':all :domain'])
  const test = (depth: number): string => {
    const one = [
      () => `header ${match()} ${header()} ${strings()}`,
      () => `header ${match()} ${header()} ${strings()}`,
      () => `address ${pick([`${part()} ${match()}`, `${match()} ${part()}`])} ${header()} ${strings()}`,
      () => `envelope ${part()} ${match()} ${pick(['"from"', '"to"', '["from","to"]', '"x"'])} ${strings()}`,
      () => `exists ${header()}`,
      () =>
        `size ${pick([':over', ':under', '', ':OVER'])} ${pick(['1', '100', '1K', '10k', '1M', '0', '209', '210', '"1"', '1G', '99999999999', '1x'])}`,
      () => pick(['true', 'false', 'TRUE', 'nosuch', 'true true']),
      () =>
        `environment ${match()} ${pick(['"domain"', '"name"', '"host"', '"location"', '"x"', '"version"'])} ${strings()}`,
      () => `valid_notify_method ${pick(['"mailto:a@b"', '"x:y"', '["mailto:a@b"]'])}`,
    ]
    if (depth <= 0) return pick(one)()
    return pick([
      ...one,
      () => `not ${test(depth - 1)}`,
      () =>
        `${pick(['anyof', 'allof'])} (${Array.from({ length: below(4) }, () => test(depth - 1)).join(', ')})`,
      () =>
        `${pick(['anyof', 'allof'])} (${Array.from({ length: 1 + below(3) }, () => test(depth - 1)).join(',')})`,
    ])()
  }
  const command = (depth: number): string => {
    const plain = [
      () =>
        pick([
          'keep;',
          'discard;',
          'stop;',
          'keep ;',
          'KEEP;',
          'keep',
          'keep "x";',
          'keep :copy;',
          'discard "x";',
          'nosuch;',
          ';',
        ]),
      () =>
        `redirect ${pick(['', ':copy '])}${pick(['"a@b.example"', '"me@x.example"', '"a"', '["a@b.example"]', '"Joe <a@b.example>"', '""', '"a@b.example, c@d.example"'])};`,
      () =>
        `fileinto ${pick(['', ':copy ', ':x '])}${pick(['"x"', '"a/b"', '"inbox"', '"INBOX"', '""', '"../x"', '"a b"', '["x"]', '"J\xc3\xbc"', '"/x"'])};`,
      () =>
        `vacation ${Array.from({ length: below(4) }, () => pick([':days 3', ':days 0', ':days 100', ':days "1"', ':subject "s"', ':subject "J\xc3\xbc"', ':from "a@b.example"', ':from "x"', ':addresses ["me@x.example"]', ':addresses "me@x.example"', ':mime', ':handle "h"', ':x'])).join(' ')} ${pick(['"away"', '"J\xc3\xbc"', 'text:\nI am\n..away\n.\n', '', '"Content-Type: text/plain\\n\\nx"'])};`,
      () =>
        `notify ${pick(['', ':message "m" ', ':importance "1" ', ':from "a@b.example" ', ':options ["a"] ', ':importance "5" '])}${pick(['"mailto:a@b.example"', '"mailto:a@b.example?subject=x%20y"', '"mailto:a@b.example?to=c@d.example&body=z"', '"x:y"', '"mailto:"', '""'])};`,
    ]
    if (depth <= 0 || chance(55)) return pick(plain)()
    return `if ${test(2)} {${commands(depth - 1)}}${chance(30) ? ` elsif ${test(1)} {${commands(depth - 1)}}` : ''}${chance(40) ? ` else {${commands(depth - 1)}}` : ''}`
  }
  const commands = (depth: number): string =>
    Array.from({ length: 1 + below(3) }, () => command(depth)).join(pick([' ', '\n', ' # c\n', ' /* c */ ']))
  const extensions = [
    'fileinto',
    'envelope',
    'vacation',
    'copy',
    'enotify',
    'comparator-i;octet',
    'comparator-i;ascii-casemap',
    'comparator-en;ascii-casemap',
    'subaddress',
    'encoded-character',
    'body',
    'environment',
    'imap4flags',
    'relational',
    'comparator-i;ascii-numeric',
    'x',
  ]
  const all =
    '["fileinto","envelope","vacation","copy","comparator-i;octet","comparator-i;ascii-casemap","comparator-en;ascii-casemap","subaddress","encoded-character"]'
  const require = chance(70)
    ? `require ${all};\n`
    : chance(70)
      ? `require ${pick([`"${pick(extensions)}"`, `["${pick(extensions)}", "${pick(extensions)}"]`])};\n`
      : ''
  return require + spoiled(commands(2), random)
}

/** Now and then a character more or less. */
function spoiled(text: string, { below, pick }: Random): string {
  if (below(8) > 0) return text
  const at = below(text.length + 1)
  return (
    text.slice(0, at) +
    pick(['', '"', '(', ')', '{', '}', ';', ' ', '\n', '$', '\\', ',', '#', ':']) +
    text.slice(at + below(2))
  )
}

export const eximFilters: BesideTarget = {
  name: 'exim-filters',
  says: 'random Exim filters do what they do in Exim',
  seed: 1,
  cases: 300,
  make: () => makeBench(eximFilter, '# Exim filter\n'),
}

export const sieveScripts: BesideTarget = {
  name: 'sieve-scripts',
  says: 'random Sieve scripts do what they do in Exim',
  seed: 1,
  cases: 300,
  make: () => makeBench(sieveScript, '# Sieve filter\n'),
}
