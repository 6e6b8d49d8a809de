import assert from 'node:assert/strict'
import { test } from 'node:test'
import { policyBench } from '../../../test/support/policy-world.ts'
import type { Diagnostic } from '../../base/diagnostic.ts'
import { Expandable } from '../../base/expandable.ts'
import type { ListKind } from '../config/configuration.ts'
import { createListMatcher } from './index.ts'

interface Case {
  readonly says: string
  readonly lists: readonly (readonly [ListKind, string, string])[]
  readonly main?: Readonly<Record<string, string>>
  readonly message?: string
  readonly help?: string
}

const cases: readonly Case[] = [
  {
    says: 'a named list nobody defines',
    lists: [
      ['domain', 'local', 'a'],
      ['domain', 'all', 'b : !+locl'],
    ],
    message: 'unknown named domain list "+locl"',
    help: 'did you mean "+local"?',
  },
  {
    says: 'a lookup that cannot work here',
    lists: [['domain', 'local', 'a : partial-nis;domains']],
    message: 'lookup type "nis" is not available',
    help: 'NIS is not supported',
  },
  { says: 'a lookup that works', lists: [['domain', 'local', 'a : partial-cdb;/etc/domains']] },
  {
    says: 'one of another kind',
    lists: [
      ['host', 'local', '+relay'],
      ['domain', 'relay', 'a'],
    ],
    message: 'unknown named host list "+relay"',
  },
  {
    says: 'a list that contains itself',
    lists: [
      ['domain', 'a', '+b'],
      ['domain', 'b', 'x : +a'],
    ],
    message: 'named domain list "a" contains itself: a -> b -> a',
  },
  {
    says: 'a main option that uses one',
    lists: [],
    main: { host_lookup: '+nets' },
    message: 'unknown named host list "+nets"',
  },
  {
    says: 'a mask that cannot be',
    lists: [['host', 'a', '10.0.0.0/33']],
    message: '"10.0.0.0/33" never matches: its mask is wrong',
  },
  {
    says: 'nothing in sound lists',
    lists: [
      ['host', 'a', '+ignore_unknown : 10.0.0.0/8 : !+b : *.x'],
      ['host', 'b', '<; ::1 ; +include_defer ; @[]'],
      ['address', 'c', '+caseful : *@+d'],
      ['domain', 'd', '${lookup{x}lsearch{/y}{+nope}}'],
    ],
    main: { host_lookup: '*', hosts_treat_as_local: '+d' },
  },
]
for (const c of cases) {
  test(`check finds ${c.says}`, () => {
    const settings = Object.fromEntries(
      Object.entries(c.main ?? {}).map(([name, text]) => [name, new Expandable(text, undefined, name)]),
    )
    const { configuration } = policyBench({ lists: c.lists, settings })
    const found: Diagnostic[] = []
    createListMatcher().check(configuration, (diagnostic) => found.push(diagnostic))
    assert.equal(found[0]?.message, c.message)
    assert.equal(found[0]?.help, c.help ?? found[0]?.help)
    if (c.message === undefined) assert.deepEqual(found, [])
  })
}
