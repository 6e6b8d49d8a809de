/** Random and mutated expansions: a value or a failure comes of each, soon. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Expandable } from '../../base/expandable.ts'
import { isFailure } from '../../base/outcome.ts'
import { textOf } from '../../base/text.ts'
import { expansionBench, messageFacts } from '../../../test/support/expansion-context.ts'

const seeds = [
  '${if and{{eq{a}{b}}{or{{match{abc}{(b)}}{def:h_to:}}}}{$1}fail}',
  '${sg{$local_part}{\\N(.)(.)\\N}{\\$2\\$1}}',
  '${map{<; a;b}{${lc:$item}}}${filter{a:b}{!eq{$item}{b}}}',
  '${reduce{1:2:3}{0}{${eval:$value+$item}}}',
  '${extract{2}{:}{a:b:c}{$value}{none}}${extract json{a}{\\{"a":1\\}}}',
  '${lookup{root}lsearch{/etc/passwd}{$value}{none}}',
  '$h_subject: $rh_to: ${addresses:$h_to:} ${rfc2047d:=?utf-8?q?x?=}',
  '${substr_-3_2:abcdef}${hash_3:abcdef}${nhash_8_64:abc}${mask:10.0.0.1/8}',
  '${sort{3:1:2}{<}{$item}}${listextract{-1}{a:b}}${tr{abc}{b}{x}}',
  '${run{/bin/x "a b" $domain}{$value}}${readsocket{/s}{q}{2s}{ }{none}}',
  '${if match_domain{$domain}{*.org : +x}{y}{n}}${if inlist{a}{b:a}{$value}}',
]
const bits = (
  '{ } ${ $ \\ \\N : }} {{ if eq ${lc: fail $h_to: $1 ${sg{ ${map{ $item $value ^ ( ) [ ] * + ? - 0 9999999999 ' +
  'a (? (?< (?> \\d {1,50} .* ${if ${expand: ${extract{ and{ or{ !'
).split(' ')
// The promise is 50 ms; a busy machine gets room.
const soonMs = 1000
const runsMs = 1500

test('whatever is expanded gives a value or a failure, soon', async () => {
  const { expander, context } = expansionBench({
    deps: {
      doors: {
        runCommand: () => Promise.resolve({ is: 'ended', code: 0, output: 'x' }),
        askSocket: () => Promise.resolve({ is: 'answer', data: 'x' }),
      },
    },
    ports: { runAcl: () => ({ verdict: 'accept', userMessage: 'm', logMessage: undefined }) },
    context: {
      message: messageFacts(['Subject: =?utf-8?q?x?=\n', 'To: a@b, c@d\n'], 'body\n'),
      address: { localPart: 'joe', domain: 'example.org' },
    },
  })
  let state = 12345
  const random = (limit: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    return state % limit
  }
  const mutate = (text: string): string => {
    const at = random(text.length + 1)
    const bit = bits[random(bits.length)] ?? ''
    switch (random(4)) {
      case 0:
        return text.slice(0, at) + text.slice(at + 1 + random(4))
      case 1:
        return text.slice(0, at) + bit + text.slice(at)
      case 2:
        return text.slice(0, at) + text.slice(at, at + random(20)).repeat(1 + random(4)) + text.slice(at)
      default:
        return text.slice(0, at) + (seeds[random(seeds.length)] ?? '').slice(random(20)) + text.slice(at)
    }
  }
  const end = performance.now() + runsMs
  while (performance.now() < end) {
    let text = seeds[random(seeds.length)] ?? ''
    for (let i = random(6); i >= 0; i--) text = mutate(text).slice(0, 3000)
    const start = process.cpuUsage()
    const value = await expander.expandText(text, context)
    expander.check(new Expandable(text))
    assert.ok(process.cpuUsage(start).user / 1000 < soonMs, text)
    assert.ok(isFailure(value) || typeof textOf(value) === 'string', text)
  }
})
