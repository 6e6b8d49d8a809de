/** Random and mutated expansions. */
import { readFileSync } from 'node:fs'
import { Expandable } from '../../../src/base/expandable.ts'
import { isFailure } from '../../../src/base/outcome.ts'
import { taint, textOf } from '../../../src/base/text.ts'
import { expansionBench, messageFacts } from '../../support/expansion-context.ts'
import { mutate } from '../random.ts'
import type { FuzzTarget } from '../target.ts'

const ownSeeds = [
  '${if and{{eq{a}{b}}{or{{match{abc}{(b)}}{def:h_to:}}}}{$1}fail}',
  '${sg{$local_part}{\\N(.)(.)\\N}{\\$2\\$1}}',
  '${map{<; a;b}{${lc:$item}}}${filter{a:b}{!eq{$item}{b}}}',
  '${reduce{1:2:3}{0}{${eval:$value+$item}}}',
  '${extract{2}{:}{a:b:c}{$value}{none}}${extract json{a}{\\{"a":1\\}}}',
  '$h_subject: $rh_to: ${addresses:$h_to:} ${rfc2047d:=?utf-8?q?x?=}',
  '${substr_-3_2:abcdef}${hash_3:abcdef}${nhash_8_64:abc}${mask:10.0.0.1/8}',
  '${sort{3:1:2}{<}{$item}}${listextract{-1}{a:b}}${tr{abc}{b}{x}}',
  '${run{/bin/x "a b" $domain}{$value}}${readsocket{/s}{q}{2s}{ }{none}}',
  '${if match_domain{$domain}{*.org : +x}{y}{n}}${if inlist{a}{b:a}{$value}}',
  '${lookup testdb{$local_part}{$value}{no}}${quote_pgsql:$h_subject:}',
  '${certextract{subject,CN}{$tls_in_peercert}{$value}{none}}',
  '${if forany{a:b:c}{match{$item}{^$local_part\\$}}{y}{n}}${acl{x}{a}{b}}',
]
const bits = (
  '{ } ${ $ \\ \\N : }} {{ if eq ${lc: fail $h_to: $1 ${sg{ ${map{ $item $value ^ ( ) [ ] * + ? - 0 9999999999 ' +
  'a (? (?< (?> \\d {1,50} .* ${if ${expand: ${extract{ and{ or{ ! \n \0 \xff'
).split(' ')

/** The table that is compared with Exim has every name in it; what touches files stays out. */
function tableSeeds(): string[] {
  return readFileSync('test/testdata/expansions.txt', 'latin1')
    .split('\n')
    .filter(
      (line) => line !== '' && !line.startsWith('##') && !/readfile|lsearch|dsearch|stat:|exists/.test(line),
    )
}

export const expansions: FuzzTarget = {
  name: 'expansions',
  says: 'an expansion gives a value or a failure, soon',
  make() {
    const seeds = [...ownSeeds, ...tableSeeds()]
    const nothing = { error: 'No such file or directory', code: 'ENOENT' }
    const bench = expansionBench({
      deps: {
        doors: {
          runCommand: () => Promise.resolve({ is: 'ended', code: 0, output: 'x' }),
          askSocket: () => Promise.resolve({ is: 'answer', data: 'x' }),
        },
      },
      ports: {
        runAcl: () => ({ verdict: 'accept', userMessage: 'm', logMessage: undefined }),
        files: { read: () => nothing, stat: () => nothing, list: () => nothing, space: () => undefined },
      },
      context: {
        message: messageFacts(['Subject: =?utf-8?q?x?=\n', 'To: a@b, c@d\n'], 'body\n'),
        address: { localPart: 'joe', domain: 'example.org' },
        variables: new Map([['acl_verify_message', taint('x {${y', '$acl_verify_message')]]),
      },
    })
    const { context, expander } = bench
    return {
      generate: (random) => mutate(random.pick(seeds), random, seeds, bits),
      async run(input) {
        expander.check(new Expandable(input))
        const value = await expander.expandText(input, context)
        return isFailure(value) ? value.message : textOf(value)
      },
      close: () => bench.close(),
    }
  },
}
