/** Random lists of all kinds, with named lists, files and lookups, and what is looked for in them. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isFailure } from '../../../src/base/outcome.ts'
import { textOf } from '../../../src/base/text.ts'
import { createLookups } from '../../../src/language/lookups/index.ts'
import { createWorld } from '../../support/routing-world.ts'
import type { Random } from '../random.ts'
import { ended, expandAll } from './ask.ts'
import type { BesideTarget } from './target.ts'

/** `FOLDER` stands for the folder of the files. */
const configuration = `primary_hostname = mx.example.org
domainlist d_one = example.com : *.example.net : !x.example.org : *.example.org
domainlist d_two = +d_one : !b.test : *.test
domainlist d_file = FOLDER/domains
hostlist h_one = 192.0.2.0/24 : !192.0.2.9 : ::1
hostlist h_two = !+h_one : 10.0.0.0/8
addresslist a_one = joe@example.com : *@example.net : !ann@*.org : *.org
localpartlist l_one = joe : !ann : ^a
localpartlist l_two = +l_one : +caseful : Big
`
const files: Readonly<Record<string, string>> = {
  domains: '# comment\nexample.com\n!no.example.net\n*.example.net # tail\n\n^re\\.\nsub.test : x\n',
  locals: 'joe\n!ann\n*ann\n^b.\n',
  addresses: 'joe@example.com\n*@example.net\nann@*\n!bob@x.test\n*.test\n',
  hosts: '192.0.2.1\n!10.1.0.0/16\n10.0.0.0/8\n::1\n',
  keys:
    'example.com: one\n*.example.net: two\n"quoted key" : three\njoe@example.com: four\n*@example.net: five\njoe: six\n*: default\n' +
    'example.org:\n  folded\n  more\n192.0.2.1: ip\n"::1": ip6\n*.test: t\n.dot.test: d\nUPPER.test: u\n192.0.2.0/24: net\n',
  wild: '^a.*: re\n*.example.net: star\n*test: tail\nexample.com: plain\n*@example.com: at\n192.0.2.1: ip\n^\\N^[0-9]+$: digits\n',
  nets: '192.0.2.0/24: small\n10.0.0.0/8: big\n"2001:db8::/32": six\n*: rest\n192.0.2.1: one\n',
  parts: 'example.com: joe : !ann\nexample.net: *\nx.test: >example.com\n*: bob\n',
}

const domains = [
  'example.com',
  'EXAMPLE.com',
  'a.example.net',
  'example.net',
  'x.example.org',
  'y.x.example.org',
  'b.test',
  'a.b.test',
  're.x',
  '',
  'mx.example.org',
  'no.example.net',
  'sub.test',
  'quoted key',
  'dot.test',
  'upper.test',
  '*',
  'a',
  '[192.0.2.1]',
  '192.0.2.1',
]
const locals = [
  'joe',
  'JOE',
  'ann',
  'Ann',
  'bob',
  'Big',
  'big',
  'bx',
  '',
  'a.b',
  'x-ann',
  'joe+x',
  '"a b"',
  '*',
]
const hosts = [
  '192.0.2.1',
  '192.0.2.9',
  '10.1.2.3',
  '10.2.0.1',
  '::1',
  '2001:db8::5',
  '::ffff:192.0.2.1',
  '',
  '127.0.0.1',
  '2001:DB8:0:0::5',
  '1.2.3',
  'a',
]

const separators = [',', '|', '\\n', '#', '=']

/** An item of a list. */
function item(kind: string, random: Random): string {
  const { pick } = random
  const file = (name: string): string => `FOLDER/${name}`
  const lookup = (): string =>
    `${pick(['', '', 'partial-', 'partial1-', 'partial0-', 'partial3-', 'partial(.)', 'partial2()', 'partial(*.)'])}` +
    `${pick(['lsearch', 'lsearch', 'wildlsearch', 'nwildlsearch', 'iplsearch', 'lsearch*', 'lsearch*@', 'lsearch,ret=full'])}` +
    `;${file(pick(['keys', 'wild', 'nets', 'parts']))}`
  const plain: Readonly<Record<string, readonly string[]>> = {
    domain: [
      ...domains,
      '*',
      '*.example.net',
      '*example.com',
      '*.',
      '^.*\\\\.test',
      '^re',
      '\\N^[a-y]\\.\\N',
      '@',
      '@[]',
      '*test',
      '*.*',
      'a*',
      '+d_one',
      '+d_two',
      '+d_file',
      '+none',
      '+h_one',

      '^(?i)EX',
      '^(.)\\\\.(.*)',
    ],
    localpart: [
      ...locals,
      '*',
      '*e',
      '*ann',
      '^a',
      '^(.)n',
      '\\N^b.$\\N',
      '+l_one',
      '+l_two',
      '+none',
      '+caseful',
      'J*',
      '^J',
      '@',
      '+d_one',
    ],
    address: [
      'joe@example.com',
      'JOE@example.com',
      '*@example.net',
      'example.com',
      '*.org',
      '*',
      '@example.com',
      'joe@',
      'joe',
      '^joe@',
      '\\N^[a-z]+@x\\.\\N',
      '*ann@*',
      '*n@*.org',
      'joe@@example.com',
      '@@lsearch;FOLDER/parts',
      '@@partial-lsearch;FOLDER/parts',
      '@@lsearch*;FOLDER/parts',
      '+a_one',
      '+none',
      '+caseful',
      'ann@+d_one',
      '*@+d_one',
      '*@lsearch;FOLDER/keys',
      'joe@partial-lsearch;FOLDER/keys',
      '@',
      '^',
      'postmaster@',
      '*@',
      '@@',
      'bob@^x',
      '*@*',
      'a*@example.com',
    ],
    ip: [
      '192.0.2.1',
      '192.0.2.0/24',
      '192.0.2.0/33',
      '10.0.0.0/8',
      '::1',
      '::1/128',
      '2001:db8::/32',
      '<',
      '*',
      '@[]',
      '+h_one',
      '+h_two',
      '+none',
      '192.0.2.*',
      '^192',
      'a.example',
      '[192.0.2.1]',
      'net-iplsearch;FOLDER/nets',
      'net24-lsearch;FOLDER/keys',
      'net-lsearch;FOLDER/keys',
      'net32-iplsearch;FOLDER/nets',
      'iplsearch;FOLDER/nets',
      'lsearch;FOLDER/keys',
      'net128-lsearch;FOLDER/keys',
      'net',
      '0.0.0.0/0',
      '::/0',
      '192.0.2',
      '10',
      '192.0.2.1/24',
      '+ignore_unknown',
      '+include_unknown',
    ],
    string: [...domains, ...locals, 'a b', '+x', '!a', '^a'],
  }
  const name =
    { domain: 'domains', localpart: 'locals', address: 'addresses', ip: 'hosts', string: 'locals' }[kind] ??
    'domains'
  const roll = random.below(10)
  const made =
    roll === 0
      ? file(pick([name, name, 'keys']))
      : roll < 3 && kind !== 'string' && kind !== 'ip'
        ? lookup()
        : pick(plain[kind] ?? [''])
  return pick(['', '', '', '', '!', '! ', ' ']) + made
}

const conditions = {
  domain: 'match_domain',
  localpart: 'match_local_part',
  address: 'match_address',
  ip: 'match_ip',
  string: 'inlisti',
}

function makeCase(random: Random): string {
  const { pick, below } = random
  const kind = pick(['domain', 'localpart', 'address', 'ip', 'string'] as const)
  const separator = below(5) === 0 ? pick(separators) : ':'
  const quoted = (text: string): string =>
    separator === ':' && text.includes(':') && below(8) > 0 ? text.replaceAll(':', '::') : text
  const items = Array.from({ length: 1 + below(4) }, () => quoted(item(kind, random)))
  const list =
    (separator === ':' ? '' : `<${separator} `) +
    items.join(pick([separator, ` ${separator} `])) +
    pick(['', '', '', ` ${separator}`])
  const subject = {
    domain: () => pick(domains),
    localpart: () => pick(locals),
    address: () => pick([() => `${pick(locals)}@${pick(domains)}`, () => pick(locals), () => ''])(),
    ip: () => pick(hosts),
    string: () => pick([...domains, ...locals]),
  }[kind]()
  const shown = kind === 'address' ? '[$value]' : '[$value|$0|$1|$2]'
  return `\${if ${conditions[kind]}{${subject}}{${list}}{yes ${shown}}{no}}`
}

/** A file that is not there, a lookup that is none and a wrong regular expression end Exim. */
function isWhole(input: string): boolean {
  const rest = input
    .replace(
      /(?:partial\d?(?:-|\([^)]*\)))?(?:n?wildl|ipl|l)search(?:\*@?|,ret=full)?;FOLDER\/(?:keys|wild|nets|parts)(?![\w:])/g,
      '',
    )
    .replace(/net(?:\d+)?-/g, '')
    .replace(/FOLDER\/(?:domains|locals|addresses|hosts|keys)(?![\w:])/g, '')
    .replace(/\/\d+/g, '')
  return !/[/;]|search|FOLD|partial|:{3}|\^[^:]*[([][^:)\]]*(?:[:}]|$)/.test(rest)
}

/** Reasons, and how they are known. */
const reasons: readonly (readonly [string, (input: string, ours: string, exim: string) => boolean])[] = [
  ['no input ends a process', (_, __, exim) => exim === ended],
  ['no named list: Exim says what failed last', (_, ours) => /unknown named/.test(ours)],
  ['the wild part of an asterisk alone is the whole key', (input) => /partial0|\(\*\.\)/.test(input)],
  [
    'the data of a pattern of addresses is the pattern',
    (input, ours, exim) =>
      input.includes('match_address') &&
      ours.startsWith('[yes') &&
      exim.startsWith('[yes') &&
      !/lsearch,|\(\S*search/.test(input),
  ],
  [
    '$value of match_ip is empty',
    (input, ours, exim) => input.includes('match_ip') && ours.startsWith('[yes') && exim.startsWith('[yes'),
  ],
  ['a mask that is empty or has a space is refused', (input) => /\/(?: |[:},|#=\\])/.test(input)],
  [
    'what has no @ is looked at before the item is',
    (input, ours) => /match_address\{[^@]*\}\{/.test(input) && ours.includes('unknown lookup type'),
  ],
  [
    'an empty key has no parts',
    (input) => /_(?:domain|local_part)\{\}|_address\{[^}]*@?\}/.test(input) && input.includes('partial'),
  ],
  ['an IPv4 address in IPv6 form is looked up as IPv4', (input) => input.includes('::ffff:')],
  [
    'the last item of a file is no $value',
    (_, ours, exim) => ours.startsWith('[yes') && exim.startsWith('[yes'),
  ],
  ['+caseful stays within its list', (input) => /\+caseful|l_two/.test(input)],
  ['a lookup that defers is told so', (_, ours) => /gave DEFER/.test(ours)],
]

export const lists: BesideTarget = {
  name: 'lists',
  says: 'random lists match what they match in Exim',
  seed: 1,
  cases: 4000,
  make() {
    const folder = mkdtempSync(join(tmpdir(), 'posternlists'))
    chmodSync(folder, 0o755)
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text, 'latin1')
    const spool = join(folder, 'spool')
    mkdirSync(spool)
    chmodSync(spool, 0o777)
    const placed = configuration.replaceAll('FOLDER', folder)
    const file = join(folder, 'exim.conf')
    writeFileSync(
      file,
      `spool_directory = ${spool}\nlog_file_path = ${spool}/%slog\nkeep_environment =\n${placed}`,
    )
    const world = createWorld(placed).context
    const lookups = createLookups()
    const context = { ...world, ports: { ...world.ports, lookup: lookups.lookup.bind(lookups) } }
    const lineOf = (text: string): string => `[${text.replaceAll('FOLDER', folder)}]`
    return {
      batch: 2000,
      generate(random) {
        for (;;) {
          const made = makeCase(random)
          if (isWhole(made)) return made
        }
      },
      takes: (input) => !/[\n\0]/.test(input) && input.startsWith('${if ') && isWhole(input),
      exim: (cases) => expandAll(['-C', file, '-be'], cases.map(lineOf)),
      async ours(cases) {
        const answers: string[] = []
        for (const text of cases) {
          const value = await context.ports.expandText(lineOf(text), context)
          answers.push(isFailure(value) ? `Failed: ${value.message}` : textOf(value))
        }
        return answers
      },
      meant: (input, ours, exim) => reasons.find(([, holds]) => holds(input, ours, exim))?.[0],
      close() {
        lookups.close()
        rmSync(folder, { recursive: true, force: true })
      },
    }
  },
}
