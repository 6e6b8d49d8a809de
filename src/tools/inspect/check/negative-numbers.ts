/** Whole numbers below zero where only a count or a size makes sense. Exim reads them and says nothing. */
import type { Report, Span } from '../../../base/diagnostic.ts'
import { Expandable } from '../../../base/expandable.ts'
import type { OptionTable } from '../../../language/config/options/table.ts'
import { mainOptions } from '../../../language/config/options/main.ts'
import { routerOptions } from '../../../language/config/options/router.ts'
import { transportOptions } from '../../../language/config/options/transport.ts'
import { routerTable, transportTable } from '../../../server/driver-tables.ts'
import type { Check } from './subject.ts'

export const negativeNumbers: Check = {
  name: 'negative-numbers',
  doc: 'Counts and sizes below zero.',
  run({ configuration }, report) {
    const { main, mainSetAt, routers, transports } = configuration
    judge([mainOptions], main, mainSetAt, report)
    for (const [instances, common, drivers] of [
      [routers, routerOptions, routerTable],
      [transports.values(), transportOptions, transportTable],
    ] as const)
      for (const { driver, settings, setAt } of instances)
        judge([common, drivers[driver]?.options ?? {}], settings, setAt, report)
  },
}

function judge(
  tables: readonly OptionTable[],
  settings: object,
  setAt: ReadonlyMap<string, Span>,
  report: Report,
): void {
  for (const [name, at] of setAt) {
    const row = tables.find((table) => Object.hasOwn(table, name))?.[name]
    // Of some -1 stands for "as the system has it".
    if (row === undefined || Number(row.default) < 0) continue
    const value: unknown = Object.getOwnPropertyDescriptor(settings, name)?.value
    const number = negative(value, row.type === 'integer', row.type === 'expandInteger' || counted.has(name))
    if (number === undefined) continue
    report({
      code: 'value-negative',
      severity: 'warning',
      message: `${number} makes no sense for "${name}"`,
      at: value instanceof Expandable ? value.span() : at,
      help: row.doc,
    })
  }
}

/** Counts whose rows say no more than that they are expanded. */
const counted: ReadonlySet<string> = new Set(['smtp_accept_max_per_host'])

function negative(value: unknown, plain: boolean, expanded: boolean): string | undefined {
  if (plain && typeof value === 'number' && value < 0) return String(value)
  if (!expanded || !(value instanceof Expandable)) return undefined
  return /^\s*-\d+[kmg]?\s*$/i.test(value.text) ? value.text.trim() : undefined
}
