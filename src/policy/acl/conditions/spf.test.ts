/** Conditions spf and spf_guess: words, what is kept, what `check` says of them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type PolicyBench, policyBench, type World } from '../../../../test/support/policy-world.ts'
import { Expandable } from '../../../base/expandable.ts'
import { isFailure } from '../../../base/outcome.ts'
import { textOf } from '../../../base/text.ts'
import type { DnsAnswer } from '../../../ports.ts'

const txt = (text: string): Partial<DnsAnswer> => ({
  records: [{ type: 'TXT', name: 'x', ttl: 60, strings: [text] }],
})
const dns: World['dns'] = {
  'a.example TXT': txt('v=spf1 ip4:192.0.2.1 ip6:2001:db8::/32 -all'),
  'fail.example TXT': txt('v=spf1 -all'),
  'x.example TXT': txt('v=spf1 ip4:192.0.2.1 -all'),
  'broken.example TXT': { status: 'again' },
}
const bench = (acl: string, world: World = {}): PolicyBench =>
  policyBench({
    dns,
    ...world,
    settings: {
      spf_guess: 'v=spf1 a/24 mx/24 ptr ?all',
      spf_smtp_comment_template: new Expandable('no'),
      ...world.settings,
    },
    acls: `t:\n${acl}`,
  })
const fails: World = { message: { sender: 's@fail.example' } }

const cases: readonly (readonly [says: string, condition: string, verdict: boolean, world?: World])[] = [
  ['a word matches', 'spf = pass', true],
  ['case does not count', 'spf = PASS', true],
  ['another separator', 'spf = <, fail, pass', true],
  ['a list that is expanded first', 'spf = ${if eq{a}{a}{fail:pass}}', true],
  ['a negated item', 'spf = !fail', true],
  ['a negated item with a space', 'spf = ! pass', false],
  ['the first item that matches is enough', 'spf = !pass : pass', true],
  ['a word that is none matches nothing', 'spf = passed', false],
  ['* is any result', 'spf = *', true],
  ['an empty list', 'spf = ', false],
  ['the condition negated', '!spf = fail', true],
  ['IPv6', 'spf = pass', true, { connection: { hostAddress: '2001:db8::9' } }],
  ['IPv6 that is none', 'spf = fail', true, { connection: { hostAddress: '2001:db9::9' } }],
  ['an IPv4 address in IPv6', 'spf = pass', true, { connection: { hostAddress: '::ffff:192.0.2.1' } }],
  [
    'an empty sender: the HELO name',
    'spf = pass',
    true,
    { message: { sender: '' }, connection: { helo: 'x.example' } },
  ],
  [
    'no HELO name and no sender',
    'spf = none',
    true,
    { message: { sender: '' }, connection: { helo: undefined } },
  ],
  [
    'an address as HELO name',
    'spf = none',
    true,
    { message: { sender: '' }, connection: { helo: '[192.0.2.1]' } },
  ],
  ['no client', 'spf = invalid', true, { connection: { hostAddress: undefined } }],
  [
    'no client is no result of the RFC',
    'spf = none:neutral:permerror:temperror',
    false,
    { connection: { hostAddress: undefined } },
  ],
  [
    'a guess for a domain without record',
    'spf_guess = neutral',
    true,
    { message: { sender: 's@b.example' } },
  ],
  ['no guess when the DNS fails', 'spf_guess = temperror', true, { message: { sender: 's@broken.example' } }],
  [
    'a guess that is no record is not used',
    'spf_guess = none',
    true,
    { message: { sender: 's@b.example' }, settings: { spf_guess: '' } },
  ],
]
for (const [says, condition, verdict, world] of cases) {
  test(`${condition}: ${says}`, async () => {
    const { runAcl, context } = bench(`accept ${condition}`, world)
    const result = await runAcl('t', 'rcpt', context)
    assert.equal(result.verdict, verdict ? 'accept' : 'deny', JSON.stringify(result))
  })
}

test('the template may hold macros of SPF, spaces as %_ and variables', async () => {
  for (const [template, comment] of [
    [
      'Please%_see%_http://why.example/%{S}?ip=%{I}&to=%{R}',
      'Please see http://why.example/s%40fail.example?ip=192.0.2.1&to=me.example',
    ],
    ['not from $sender_host_address', 'not from 192.0.2.1'],
    ['100% $sender_address_domain', '100% fail.example'],
    ['${if eq{a}{b}{x}fail}', ''],
  ] as const) {
    const world: World = { ...fails, settings: { spf_smtp_comment_template: new Expandable(template) } }
    const { runAcl, context } = bench('accept spf = fail', world)
    await runAcl('t', 'rcpt', context)
    const said = await context.ports.expand(new Expandable('$spf_smtp_comment'), context)
    assert.equal(isFailure(said) ? said.message : textOf(said), comment)
  }
})

test('a fault in the template is told in the panic log and changes no result', async () => {
  const world: World = { ...fails, settings: { spf_smtp_comment_template: new Expandable('${nonsense}') } }
  const { runAcl, context, log } = bench('accept spf = fail', world)
  assert.equal((await runAcl('t', 'rcpt', context)).verdict, 'accept')
  assert.match(
    log.join('\n'),
    /^panic: failed to expand spf_smtp_comment_template: unknown variable in "\${nonsense}"/,
  )
})

test('${authresults: nothing found, and what each check found', async () => {
  const { runAcl, context } = bench('accept spf = *', { connection: { hostLookup: 'failed' } })
  const show = async (more: typeof context): Promise<string> => {
    const said = await context.ports.expand(new Expandable('${authresults{mx}}'), more)
    return isFailure(said) ? said.message : textOf(said)
  }
  assert.equal(await show({ ...context, connection: undefined }), 'Authentication-Results: mx; none')
  await runAcl('t', 'rcpt', context)
  assert.equal(
    await show(context),
    'Authentication-Results: mx;\n\tiprev=fail smtp.remote-ip=192.0.2.1;\n\tspf=pass smtp.mailfrom=a.example',
  )
})

test('check: words that are none, old words, and lists that are always true', () => {
  const { diagnostics } = bench(
    'warn spf = pass : temperor : err_temp\nwarn spf_guess = !pass : !fail\nwarn spf = ${if eq{a}{b}{x}}\naccept spf = *',
  )
  assert.deepEqual(
    diagnostics.map(
      ({ message, severity, help }) => `${severity}: ${message}${help === undefined ? '' : ` (${help})`}`,
    ),
    [
      'warning: "temperor" is no result of spf: it never matches (did you mean "temperror"?)',
      'warning: "err_temp" is deprecated: it means temperror (the text of 2014 had the meanings of err_perm and err_temp exchanged)',
      'warning: "spf_guess = !pass : !fail" is true for every result (each item stands alone; "!spf_guess = ..." with the words that are not wanted says what is meant)',
    ],
  )
})
