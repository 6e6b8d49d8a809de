/** Conditions whose names are known, but that do not work. */
import type { ConditionRow } from '../rows.ts'

function pending(name: string, doc: string): ConditionRow {
  return {
    name,
    doc,
    manual: 'Expansion conditions',
    read(reader) {
      reader.skipSpace()
      const only = reader.argument(`missing { after "${name}"`)
      return only && { arguments: [only] }
    },
    compile: () => () => false,
  }
}

export const pendingConditions: readonly ConditionRow[] = [
  pending('pwcheck', 'pwcheck is not supported; use crypteq or the dovecot authenticator'),
  pending('radius', 'RADIUS is not supported; use crypteq or the dovecot authenticator'),
]
