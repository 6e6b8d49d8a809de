/** The short tables say what the drivers and the rows of ACLs themselves say. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { transportDrivers } from '../flow/delivery/transports/index.ts'
import { routerDrivers } from '../flow/routing/routers/index.ts'
import { builtinBeginning, builtinMacros } from '../language/config/builtin.ts'
import { rows } from '../policy/acl/parse.ts'
import { authenticatorDrivers } from '../policy/authenticators/index.ts'
import {
  aclConditionNames,
  aclModifierNames,
  authenticatorTable,
  type DriverEntry,
  routerTable,
  transportTable,
} from './driver-tables.ts'
import { collectRegistries } from './registries.ts'

const kinds: readonly (readonly [
  string,
  Readonly<Record<string, DriverEntry>>,
  Readonly<Record<string, DriverEntry>>,
])[] = [
  ['routers', routerTable, routerDrivers],
  ['transports', transportTable, transportDrivers],
  ['authenticators', authenticatorTable, authenticatorDrivers],
]
for (const [kind, table, drivers] of kinds) {
  test(`the table of ${kind} is complete and says what each of them says`, () => {
    for (const [name, driver] of Object.entries(drivers)) {
      const row = table[name]
      assert.ok(row, `${name} is missing in driver-tables.ts`)
      assert.deepEqual(row.options, driver.options, name)
      assert.equal(row.works ?? true, driver.works ?? true, name)
      assert.equal(row.needsTransport ?? false, driver.needsTransport ?? false, name)
    }
    for (const [name, row] of Object.entries(table)) if (row.works !== false) assert.ok(drivers[name], name)
  })
}

test('the names of conditions and modifiers are those that work', () => {
  const working = (kind: 'condition' | 'modifier'): string[] =>
    [...rows.values()].flatMap((row) => (row.kind === kind && row.since !== undefined ? [row.name] : []))
  assert.deepEqual(aclConditionNames.toSorted(), working('condition').toSorted())
  assert.deepEqual(aclModifierNames.toSorted(), working('modifier').toSorted())
})

test('every built-in macro begins as the reader of configurations expects', () => {
  const names = [...builtinMacros(collectRegistries()).keys()]
  assert.ok(names.length > 1000)
  assert.deepEqual(
    names.filter((name) => !builtinBeginning.test(name)),
    [],
  )
})
