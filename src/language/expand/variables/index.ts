/** All variables by name. Source: Exim manual, "Expansion variables". */
import type { VariableRow } from '../rows.ts'
import { aclVariables, userVariable } from './acl.ts'
import { addressVariables } from './address.ts'
import { connectionVariables } from './connection.ts'
import { contentVariables } from './content.ts'
import { dmarcVariables } from './dmarc.ts'
import { messageVariables } from './message.ts'
import { proxyTlvVariables } from './proxy-tlv.ts'
import { serverVariables } from './server.ts'
import { arcVariables } from './arc.ts'
import { dkimVariables } from './dkim.ts'
import { spfVariables } from './spf.ts'
import { timeVariables } from './time.ts'

const rows: readonly VariableRow[] = [
  ...aclVariables,
  ...addressVariables,
  ...connectionVariables,
  ...contentVariables,
  ...dmarcVariables,
  ...messageVariables,
  ...proxyTlvVariables,
  ...serverVariables,
  ...arcVariables,
  ...dkimVariables,
  ...spfVariables,
  ...timeVariables,
]

export const variables: ReadonlyMap<string, VariableRow> = new Map(rows.map((row) => [row.name, row]))

/** The row of a variable; the user's own variables have rows made for them. */
export function findVariable(name: string): VariableRow | undefined {
  return variables.get(name) ?? userVariable(name)
}
