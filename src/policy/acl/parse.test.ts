import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { policyBench } from '../../../test/support/policy-world.ts'
import { locate } from '../../base/diagnostic.ts'
import { Expandable } from '../../base/expandable.ts'
import { conditions } from './conditions/index.ts'
import { controls } from './controls/index.ts'
import { modifiers } from './modifiers/index.ts'
import { verifyItems } from './verify/index.ts'

/** Sentences of Exim 4.96, which begin with `error in ACL: `. */
const mistakes: readonly (readonly [acl: string, message: string, help?: string])[] = [
  ['set acl_c_a = 1', 'unknown ACL verb "set" in "set acl_c_a = 1"'],
  ['frobnicate', 'unknown ACL verb "frobnicate" in "frobnicate"'],
  ['acept', 'unknown ACL verb "acept" in "acept"', 'did you mean "accept"?'],
  ['ACCEPT', 'unknown ACL verb "ACCEPT" in "ACCEPT"'],
  ['hosts = *', 'unknown ACL verb "hosts" in "hosts = *"'],
  [
    'accept set acl_x = 1',
    'invalid variable name after "set" in ACL modifier "set acl_x = 1" (must start "acl_c" or "acl_m")',
  ],
  ['accept set acl_m_a.b = 1', 'invalid character "." in variable name in ACL modifier "set acl_m_a.b = 1"'],
  [
    'accept set foo = 1',
    'invalid variable name after "set" in ACL modifier "set foo = 1" (must start "acl_c" or "acl_m")',
  ],
  ['accept set acl_m1', '"=" missing after ACL "set" modifier'],
  ['accept setacl_m1=1', 'unknown ACL condition/modifier in "accept setacl_m1=1"'],
  ['accept nosuch = 1', 'unknown ACL condition/modifier in "accept nosuch = 1"'],
  ['accept host = 1', 'unknown ACL condition/modifier in "accept host = 1"', 'did you mean "hosts"?'],
  ['accept Hosts = *', 'unknown ACL condition/modifier in "accept Hosts = *"', 'did you mean "hosts"?'],
  ['accept condition', '"=" missing after ACL "condition" condition'],
  ['accept hosts *', '"=" missing after ACL "hosts" condition'],
  ['accept encrypted', '"=" missing after ACL "encrypted" condition'],
  ['accept !control = freeze', 'ACL error: negation is not allowed with "control"'],
  ['accept !message = x', 'ACL error: negation is not allowed with "message"'],
  ['accept !endpass', 'ACL error: negation is not allowed with "endpass"'],
  ['warn endpass', 'ACL error: "endpass" is not allowed with "warn"'],
  ['deny endpass', 'ACL error: "endpass" is not allowed with "deny"'],
  ['accept condition = yes\nfoo', 'unknown ACL condition/modifier in "foo"'],
  ['accept !!hosts = 1.2.3.4', 'unknown ACL condition/modifier in "accept !!hosts = 1.2.3.4"'],
  ['accept dcc = x', 'ACL condition "dcc" does not work in this version of Postern'],
]
for (const [acl, message, help] of mistakes) {
  test(`ACL mistake: ${JSON.stringify(acl)}`, () => {
    const { diagnostics } = policyBench({ acls: `t:\n${acl}` })
    const [first] = diagnostics.filter((found) => found.fatal === true)
    assert.equal(first?.message, `error in ACL: ${message}`)
    if (help !== undefined) assert.equal(first?.help, help)
  })
}

const fine = [
  'accept endpass = foo',
  'accept set acl_m1=1',
  'accept hosts=*',
  'accept ! hosts = 1.2.3.4',
  'deny',
  '# comment\naccept',
  'accept queue =',
]
for (const acl of fine) {
  test(`ACL text that is right: ${JSON.stringify(acl)}`, () => {
    const { diagnostics } = policyBench({ acls: `t:\n${acl}` })
    assert.deepEqual(
      diagnostics.map((found) => found.message),
      [],
    )
  })
}

interface Finding {
  readonly says: string
  readonly acls: string
  readonly option?: string
  readonly message: string
  readonly severity: 'error' | 'warning'
  /** Line and column of the place. */
  readonly at?: readonly [line: number, column: number]
}
const findings: readonly Finding[] = [
  {
    says: 'D-ii: a dollar sign after set',
    acls: 't:\naccept set $acl_m_x = 1',
    message: '"set $acl_m_x" is taken as "set acl_m_x"',
    severity: 'warning',
    at: [2, 8],
  },
  {
    says: 'D-viii: prose in place of a condition',
    acls: 't:\naccept condition = (lookup if destined to mailing list)',
    message: 'invalid "condition" value "(lookup if destined to mailing list)": not a boolean',
    severity: 'error',
    at: [2, 20],
  },
  {
    says: 'D-ix: an option of a control that has none',
    acls: 't:\naccept control = dmarc_disable_verify/now',
    message: 'syntax error in "control=dmarc_disable_verify/now": "dmarc_disable_verify" has no options',
    severity: 'error',
    at: [2, 18],
  },
  {
    says: 'D11: a word that dmarc_status does not have',
    acls: 't:\naccept dmarc_status = accept : rejct',
    message: '"rejct" is no result of dmarc_status: it never matches',
    severity: 'warning',
    at: [2, 32],
  },
  {
    says: 'a statement behind one that always ends',
    acls: 't:\naccept message = x\ndeny',
    message: 'this statement is never reached: "accept" before it always ends ACL "t"',
    severity: 'warning',
    at: [3, 1],
  },
  {
    says: 'a call that leads nowhere',
    acls: 't:\naccept acl = oops',
    message: 'unknown ACL verb "oops" in "oops"',
    severity: 'error',
    at: [2, 14],
  },
  {
    says: 'a loop',
    acls: 'a:\naccept acl = b\nb:\naccept acl = a',
    message: 'ACL "a" may call itself',
    severity: 'warning',
  },
  {
    says: 'an option that names no ACL',
    acls: 't:\naccept',
    option: 'tt',
    message: 'unknown ACL verb "tt" in "tt"',
    severity: 'error',
  },
  {
    says: 'a condition in a wrong place',
    acls: 't:\naccept senders = x',
    option: 't',
    message: 'cannot test senders condition in connection ACL',
    severity: 'error',
    at: [2, 8],
  },
  {
    says: 'a condition in a wrong place, by a call',
    acls: 't:\naccept acl = u\nu:\ndeny domains = x',
    option: 't',
    message: 'cannot test domains condition in connection ACL',
    severity: 'error',
  },
  {
    says: 'a control in a wrong place',
    acls: 't:\naccept control = freeze',
    option: 't',
    message: 'cannot use "control=freeze" in connection ACL',
    severity: 'error',
  },
  {
    says: 'a control nobody knows',
    acls: 't:\naccept control = frees',
    option: 't',
    message: 'syntax error in "control=frees"',
    severity: 'error',
  },
  {
    says: 'an item of verify that nobody knows',
    acls: 't:\naccept verify = cda',
    message: 'unknown item "cda" in ACL condition "verify cda"',
    severity: 'error',
  },
  {
    says: 'a named list nobody defines',
    acls: 't:\naccept senders = x : !+nope',
    message: 'unknown named address list "+nope"',
    severity: 'error',
    at: [2, 23],
  },
  {
    says: 'an item of verify nobody knows',
    acls: 't:\naccept verify = sendr',
    message: 'unknown item "sendr" in ACL condition "verify sendr"',
    severity: 'error',
  },
]
for (const c of findings) {
  test(`check finds ${c.says}`, () => {
    const option = new Expandable(c.option ?? '')
    const { diagnostics } = policyBench({
      acls: c.acls,
      ...(c.option === undefined ? {} : { settings: { acl_smtp_connect: option } }),
    })
    const found = diagnostics.find((one) => one.message === c.message)
    assert.ok(found !== undefined, JSON.stringify(diagnostics.map((one) => one.message)))
    assert.equal(found.severity, c.severity)
    if (c.at !== undefined && found.at !== undefined) {
      const { line, column } = locate(found.at)
      assert.deepEqual([line, column], c.at)
    }
  })
}

test('a sound set of ACLs has no findings', () => {
  const { diagnostics } = policyBench({
    acls: 't:\naccept hosts = :\nrequire verify = sender\ndeny domains = x\n message = no\naccept endpass\n verify = recipient',
    settings: { acl_smtp_rcpt: new Expandable('t') },
  })
  assert.deepEqual(diagnostics, [])
})

const tables = { conditions, modifiers, controls, verifyItems }
for (const [name, table] of Object.entries(tables)) {
  test(`the table of ${name} is sorted by name, without doubles, and each row says what it does`, () => {
    const names = table.map((row) => row.name)
    assert.equal(new Set(names).size, names.length)
    for (const row of table) assert.match(row.doc, /^\S.+\.$/)
  })
}

test('random text is never more than a mistake', async () => {
  const word = fc.constantFrom(
    'accept',
    'deny',
    'warn',
    'require',
    'drop',
    'hosts',
    'condition',
    '=',
    '!',
    'set',
    'acl_m_a',
    'acl',
    'r',
    'endpass',
    'message',
    '\n',
    ' ',
    '${',
    '}',
    '"',
    'verify',
    'sender',
    'control',
    'freeze',
    'ratelimit',
    '1/1h',
    ':',
    '\\',
    '#',
  )
  const acl = fc
    .array(fc.oneof(word, fc.string({ maxLength: 4 })), { maxLength: 20 })
    .map((words) => words.join(' '))
  await fc.assert(
    fc.asyncProperty(acl, async (text) => {
      const bench = policyBench({ acls: `r:\n${text}` })
      await bench.runAcl('r', 'rcpt', bench.context)
      await bench.runAcl(text, 'rcpt', bench.context)
    }),
    { numRuns: 200 },
  )
})
