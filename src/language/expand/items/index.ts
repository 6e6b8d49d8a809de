/** All items by name. Source: Exim manual, "Expansion items". */
import type { ItemRow } from '../rows.ts'
import { extract } from './extract.ts'
import { ifItem } from './if.ts'
import { listItems } from './lists.ts'
import { lookup } from './lookup.ts'
import { stringItems } from './strings.ts'

export const items: ReadonlyMap<string, ItemRow> = new Map(
  [extract, ifItem, ...listItems, lookup, ...stringItems].map((row) => [row.name, row]),
)
