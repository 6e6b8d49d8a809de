/** Random expansions: what `-bem` of Exim and our expander give. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isFailure } from '../../../src/base/outcome.ts'
import { textOf } from '../../../src/base/text.ts'
import { expansionBench, messageFacts } from '../../support/expansion-context.ts'
import type { Random } from '../random.ts'
import { ended, expandAll } from './ask.ts'
import { createGrammar } from './grammar.ts'
import type { BesideTarget } from './target.ts'

/** What ends the process takes others' answers along: hashes of no numbers, conditions on JSON that is no array. */
const endsExim =
  /\bn?h(?:ash)?_(?:0*|\d{6,})(?:[_:]|$)|\bnh(?:ash)?_\d+_0|\bn?hash\s*\{\s*(?:-|\+?0*\}|\d{6,}|\$)|_jsons?\s*\{(?!\[[^{]*\]\})|2147483648/

const headers = [
  'From: Joe <joe@x.example>\n',
  'To: a@b.example, "c, d" <c@d.example>\n',
  'Subject: =?utf-8?q?caf=C3=A9?=  two\n  three\n',
  'Message-Id: <abc@d.example>\n',
  'Date: Tue, 24 Nov 2026 03:04:34 +0000\n',
]
const body = 'line one\nline two\n\nlast\n'

/** Reasons, and how they are known; docs/decisions/expansions.md tells them. */
const reasons: readonly (readonly [string, (input: string, ours: string, exim: string) => boolean])[] = [
  ['no input ends a process', (_, __, exim) => exim === ended],
  [
    'a text that cannot be read is told so before anything in it is evaluated',
    (_, ours, exim) =>
      ours.startsWith('Failed') &&
      exim.startsWith('Failed') &&
      isUnreadable(ours) &&
      (!isUnreadable(exim) || /missing values|unknown lookup|non-digit/.test(exim)),
  ],
  [
    'what is not evaluated is not judged',
    (input, _, exim) =>
      judged.test(exim) &&
      /\$\{(?:if|filter|map|reduce|extract|listextract|env|lookup|sort|prvscheck)|\bfor|and|or/.test(input),
  ],
  ['Exim ends a text at a zero byte', (_, ours) => ours.includes('\0')],
  [
    'a string that another one begins with comes before it: manual, "Expansion conditions"',
    (input) => /\b(?:lt|le|gt|ge)i\b/.test(input),
  ],
  [
    'white space after a value of JSON is dropped',
    (input, ours, exim) => /json/.test(input) && ours.replace(/\s/g, '') === exim.replace(/\s/g, ''),
  ],
  ['Exim 4.96 ends the whole text after ipv6norm', (input) => /ipv6norm|hex2b64/.test(input)],
  ['counters of filters exist outside filters too', (input) => /\bs?n\d/.test(input)],
  ['numbers do not wrap around', (input) => /\d{8}|(?:hash|base\d\d|eval).*-/.test(input)],
  [
    'lines and words of RFC 2047 have its lengths',
    (input, _, exim) => /rfc2047/.test(input) && exim.includes('=?UTF-8'),
  ],
  [
    'Exim has no words for it',
    (_, ours, exim) => /^Failed: (?:\(null\))?$/.test(exim) && ours.startsWith('Failed'),
  ],
  ['Exim ends a text at a zero byte', (input) => /\\(?:x(?![0-9a-f])|0)/i.test(input)],
  ['what came from outside is told with its origin', (_, ours) => ours.includes('came from outside')],
  ['an empty mask is refused', (_, ours) => /\/" is not an IP address/.test(ours)],
  ['addresses that end in IPv4 form are mistaken', (input) => /reverse_ip:[^}]*ffff|mask_n:/.test(input)],
  ['a list that is only a separator has no items', (input) => /\{<\W\s*\}/.test(input)],
  ['the comparison of a sort is judged last', (input, ours) => /sort/.test(input) && isUnreadable(ours)],
  ['the address of prvscheck is looked at before its key is', (input) => /prvscheck/.test(input)],
  ['an empty key of a sort is taken', (_, __, exim) => exim.includes('field-extract in sort')],
  ['a sorted item keeps the space after its backslash', (input) => /sort\{.*\\\\ /.test(input)],
  ['two dots in a row want quotes', (input) => /quote_local_part.*\.\./.test(input)],
  ['equal keys keep their order', (input) => /sort\{/.test(input)],
  [
    'a mistake in JSON is told by the first',
    (input, ours) => /json/.test(input) && ours.includes('wrapping'),
  ],
  ['empty levels of a folder are left out', (input) => /imapfolder.*\.\./.test(input)],
  ['other comparators of a sort are unknown', (_, ours) => ours.includes('unknown comparator')],
  ['crypt16 is not known', (_, ours) => ours.includes('{crypt16} is not')],
  [
    'extract with a computed key takes what follows for either form',
    (input) => /extract\s*\{[^}]*[$\\\x80-\xff]/.test(input),
  ],
  [
    'arguments of extract are asked for in any branch',
    (input) => /extract.*extract/.test(input) || /extract[^{}]*\}/.test(input),
  ],
  ['replacements of sg are read when they are used', (input) => /sg\{/.test(input)],
  ['words of the library for IDN', (_, ours) => /to (?:utf8|alabel): /.test(ours)],
  ['a zone needs an address alone', (input) => /%\w*\//.test(input)],
  ['no named list: Exim says what failed last', (_, ours) => /unknown named/.test(ours)],
]

/** Faults that a text has wherever they stand in it. */
function isUnreadable(answer: string): boolean {
  return /^Failed: (?:missing (?![^"]*wrapping)[{}'a-z]|Not enough|Too many|curly|syntax error|condition name|unknown (?:expansion op|variable|condition|lookup)|missing values|non-digit|letter or digit|\$ not followed|each subcondition|internal expansion.*: missing|} expected|variable name omitted|":" expected|'yes'|".* is not a known operator)/.test(
    answer,
  )
}

/** What Exim says of arguments in branches that are not taken. */
const judged =
  /is not a (?:positive )?number|unrecognised boolean|must be numeric|IMAP folder|is not an IP address|mask value|integer expected|invalid integer|hash count|wrapping|regular expression error|condition name expected, but found ""|closing extract|must not be empty/

export const expansions: BesideTarget = {
  name: 'expansions',
  says: 'random expansions give what Exim gives',
  seed: 4,
  cases: 6000,
  make() {
    const folder = mkdtempSync(join(tmpdir(), 'postern-beside-'))
    const file = join(folder, 'message')
    writeFileSync(file, `${headers.join('')}\n${body}`, 'latin1')
    const bench = expansionBench({ context: { message: messageFacts(headers, body) } })
    const { expander, context } = bench
    const grammar = new WeakMap<Random, ReturnType<typeof createGrammar>>()
    const grammarOf = (random: Random): ReturnType<typeof createGrammar> => {
      const known = grammar.get(random) ?? createGrammar(random)
      grammar.set(random, known)
      return known
    }
    return {
      batch: 500,
      generate(random) {
        for (;;) {
          const text = lineOf(grammarOf(random).text(1 + random.below(4)))
          if (!endsExim.test(text)) return text
        }
      },
      takes: (input) => lineOf(input) === input,
      exim: (cases) => expandAll(['-C', '/dev/null', '-bem', file], cases.map(framed)),
      async ours(cases) {
        const answers: string[] = []
        for (const text of cases) {
          const value = await expander.expandText(framed(text), context)
          answers.push(isFailure(value) ? `Failed: ${value.message}` : textOf(value))
        }
        return answers
      },
      meant: (input, ours, exim) => reasons.find(([, holds]) => holds(input, ours, exim))?.[0],
      close() {
        bench.close()
        rmSync(folder, { recursive: true, force: true })
      },
    }
  },
}

/** White space, capitals and a backslash at the ends mean something to `-be`. */
function framed(text: string): string {
  return `[${text}]`
}

function lineOf(text: string): string {
  return text.replace(/[\n\0]/g, '')
}
