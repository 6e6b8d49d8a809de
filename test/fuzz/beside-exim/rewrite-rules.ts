/** Random rewriting rules and addresses: what `-brw` says. */
import { testRewrite } from '../../../src/flow/routing/rewrite/index.ts'
import { rulesBench } from './rules.ts'
import type { BesideTarget } from './target.ts'

const main = `primary_hostname = mx.example
qualify_domain = local.example
qualify_recipient = rcpt.example
domainlist inside = *.example : !no.example
log_selector = +address_rewrite
`
const patterns = [
  '*@b.example',
  'joe@*',
  '*@local.example',
  '*',
  '*@*',
  '*@*.example',
  'joe@b.example',
  'JOE@b.example',
  '*e@b.example',
  'b.example',
  '*.example',
  '@b.example',
  'joe@+inside',
  '^(.*)@b\\\\.(.*)$',
  '\\N^(.*)@(.*)\\.example$\\N',
  '\\N^(?i)JOE@\\N',
  '\\N^<?(.*)!(.*)>?$\\N',
  '${if eq{a}{a}{*@b.example}}',
  '"*@b.example"',
  'x@y:z@b.example',
  '*@a.b.example',
  '*x@*.example',
]
const replacements = [
  '$1@new.example',
  '$0',
  '$1',
  '$2@$1',
  '$local_part@new.example',
  '$1@$domain',
  '"${lc:$0}"',
  '${uc:$0}',
  '*',
  'x@new.example',
  '"Name <n@new.example>"',
  '"\\"Q N\\" <n@new.example>"',
  '"J\xfc <n@new.example>"',
  '"bad address@"',
  '"a@b, c@d"',
  '"\\"a b\\"@new.example"',
  '"${if eq{$1}{joe}{k@new.example}fail}"',
  '"${if foo{x}}"',
  '$1.$2.$3@new.example',
  'joe@b.example',
  'l',
  '""',
  '<n@new.example>',
  '"n@new.example (c)"',
  'n@[192.0.2.1]',
]
const addresses = [
  'joe@b.example',
  'JOE@B.Example',
  'ann@b.example',
  'joe',
  'joe@a.b.example',
  'joe@no.example',
  'x@y',
  'a!joe@b.example',
  'joe.x@local.example',
  '"a b"@b.example',
  '"joe"@b.example',
  'joe@b.example.',
  '<joe@b.example>',
  'joe@@b',
  'joe@[192.0.2.1]',
  'joe@rcpt.example',
  'k@new.example',
  'joe@',
  '@b.example',
]

export const rewriteRules: BesideTarget = {
  name: 'rewrite-rules',
  says: 'random rewriting rules do to random addresses what Exim does',
  seed: 1,
  cases: 40,
  make: () =>
    rulesBench({
      section: 'rewrite',
      main,
      flag: '-brw',
      generate: ({ pick, below }) => {
        const flags = (): string =>
          below(3) === 0
            ? ''
            : Array.from({ length: 1 + below(3) }, () => pick('EFTbcfhrstSqQRwqRw'.split(''))).join('')
        return {
          rules: Array.from({ length: 1 + below(4) }, () =>
            `${pick(patterns)} ${pick(replacements)} ${flags()}`.trimEnd(),
          ),
          questions: Array.from({ length: 2 }, () => pick(addresses)),
        }
      },
      answer: async (words, _, context) => (await testRewrite(words.join(' '), context)).join('\n'),
      reasons: [
        {
          why: 'an address without a local part, and what else is wrong with it',
          even: (text) => text.replaceAll(/unparseable address: .*/g, 'unparseable address'),
        },
        {
          why: 'with w, the next rule works on the address in what an earlier one put there',
          when: /^.* [^ ]*w[^ ]*\n/m,
        },
        {
          why: 'the whole item that an earlier rule put there is not in the log of the next',
          even: (text) =>
            text.replaceAll(/^"[^@\n]*?<?([^\s<>"]+@[^\s<>"]+)>?" from (?=.* rewritten)/gm, '"$1" from '),
        },
        {
          why: 'what an earlier rule captured is no more there for one that is negated',
          when: /^!.*\$[123]/m,
        },
        { why: 'what named lists captured', when: /\+inside.*\$/ },
        {
          why: 'a rule for SMTP time whose replacement is no text to put there',
          when: /^(?:\\N)?\^.* [^ ]*S[^ ]*$/m,
        },
      ],
    }),
}
