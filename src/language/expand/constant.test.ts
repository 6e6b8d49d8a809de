/** Constant arguments are judged without asking anybody: whatever is tried, an answer comes and nothing is thrown. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { policyBench } from '../../../test/support/policy-world.ts'
import { createListMatcher } from '../lists/index.ts'
import { createConstantJudge, judgedNames } from './constant.ts'
import { parse } from './parse.ts'

const { configuration } = policyBench({})
const judge = createConstantJudge(configuration, (list) => createListMatcher().splitList(list))
const odd = [
  '',
  ' ',
  'x',
  '-1',
  '0',
  '99999999999999999999',
  '1/0',
  '10.0.0.1/99',
  'a@b',
  '{',
  '\xff\xfe',
  'x'.repeat(5000),
]

/** Everything that is found in one text. */
function faults(text: string): string[] {
  const { template, fault } = parse(text)
  assert.equal(fault, undefined, text)
  return template.nodes.flatMap((node) => judge.node(node)?.message ?? [])
}

for (const name of judgedNames.operators)
  test(`\${${name}: answers whatever its argument is`, () => {
    const suffix = /^(?:h|l|nh|s|hash|length|nhash|substr)$/.test(name) ? '_1' : ''
    for (const argument of odd.filter((each) => !each.includes('{')))
      for (const message of faults(`\${${name}${suffix}:${argument}}`)) assert.notEqual(message, '')
  })

for (const name of judgedNames.items)
  test(`\${${name} answers whatever its arguments are`, () => {
    const count = /^(?:hmac|prvs|sort)$/.test(name) ? 3 : 2
    for (const argument of odd.filter(
      (each) => !each.includes('{') && (name !== 'extract' || each.trim() !== ''),
    ))
      for (let place = 0; place < count; place++) {
        const given = Array.from(
          { length: count },
          (_, i) => `{${i === place ? argument : '$primary_hostname'}}`,
        )
        const kind = name === 'extract' && /^-?\d+$/.test(argument) ? '{:}' : ''
        const text = kind === '' || place > 0 ? given.join('') : given.join(kind)
        for (const message of faults(`\${${name}${text}}`)) assert.notEqual(message, '')
      }
  })

test('what is right is left alone', () => {
  for (const text of [
    '${eval:$message_size+}',
    '${eval:1+2*(3)}',
    '${mask:192.0.2.9/24}',
    '${substr{1}{3}{$local_part}}',
    '${extract{$local_part}{a=b}}',
    '${sort{a:b}{gti}{$item}}',
    '${hash_3_62:$domain}',
    '${sha3_512:$domain}',
    '${time_eval:1h}',
  ])
    assert.deepEqual(faults(text), [], text)
})
