/** All items by name. Source: Exim manual, "Expansion items". */
import type { ItemRow } from '../rows.ts'
import { acl } from './acl.ts'
import { authresults } from './authresults.ts'
import { certextract } from './certextract.ts'
import { extract } from './extract.ts'
import { fileItems } from './files.ts'
import { fn } from './fn.ts'
import { ifItem } from './if.ts'
import { imapfolder } from './imapfolder.ts'
import { listItems } from './lists.ts'
import { lookup } from './lookup.ts'
import { pendingItems } from './pending.ts'
import { perl } from './perl.ts'
import { proxyTlv } from './proxy-tlv.ts'
import { prvsItems } from './prvs.ts'
import { run } from './run.ts'
import { srsEncode } from './srs.ts'
import { stringItems } from './strings.ts'

const rows: readonly ItemRow[] = [
  acl,
  authresults,
  certextract,
  extract,
  ...fileItems,
  fn,
  ifItem,
  imapfolder,
  ...listItems,
  lookup,
  ...pendingItems,
  perl,
  proxyTlv,
  ...prvsItems,
  run,
  srsEncode,
  ...stringItems,
]

export const items: ReadonlyMap<string, ItemRow> = new Map(rows.map((row) => [row.name, row]))
