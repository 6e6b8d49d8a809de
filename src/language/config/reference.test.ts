import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tableRegistries } from '../../../test/support/registries.ts'
import { authenticatorOptions } from './options/authenticator.ts'
import { mainOptions } from './options/main.ts'
import { routerOptions } from './options/router.ts'
import type { OptionRow, OptionTable } from './options/table.ts'
import { transportOptions } from './options/transport.ts'
import { optionsReference } from './reference.ts'

test('the reference has a row for each option', () => {
  const page = optionsReference(tableRegistries)
  assert.ok(page.includes('| `auto_thaw` | time | 0s |'))
  assert.ok(page.includes('### Transport smtp\n\n| option |'))
  assert.ok(page.includes('### Router accept\n\nIt has no options of its own.'))
  assert.ok(page.includes('Also written `proxy_required_hosts`.'))
  assert.equal(page.split('\n').filter((line) => line.startsWith('| `')).length > 500, true)
})

test('every option says what it does, in one sentence', () => {
  const tables: Readonly<Record<string, OptionTable>> = {
    mainOptions,
    routerOptions,
    transportOptions,
    authenticatorOptions,
    ...driverTables(),
  }
  const wrong = Object.entries(tables).flatMap(([table, rows]) =>
    Object.entries(rows).flatMap(([name, row]) =>
      /^[A-Z].{10,}\.$/.test(row.doc) ? [] : [`${table} ${name}: ${row.doc}`],
    ),
  )
  assert.deepEqual(wrong, [])
})

test('these main options of tiers A and B do not work yet, and no others', () => {
  const pending = Object.entries<OptionRow>(mainOptions).flatMap(([name, row]) =>
    row.tier === 'C' || row.since !== undefined || row.noEffect !== undefined ? [] : [name],
  )
  assert.deepEqual(pending.sort(), [])
})

function driverTables(): Record<string, OptionTable> {
  const { routers, transports, authenticators } = tableRegistries
  const rows = [routers, transports, authenticators].flatMap((drivers) => Object.entries(drivers))
  return Object.fromEntries(rows.map(([name, driver]) => [name, driver.options]))
}
