/** Conditions whose names are known, but that do not work. */
import type { ConditionRow } from '../rows.ts'

function pending(name: string, doc: string): ConditionRow {
  return {
    name,
    doc,
    manual: 'Expansion conditions',
    read(reader) {
      reader.skipSpace()
      // saslauthd has its strings inside one more pair of braces.
      const list = []
      if (/^\{\s*\{/.test(reader.rest())) {
        reader.position++
        for (;;) {
          reader.skipSpace()
          if (reader.peek() !== '{') break
          const one = reader.braced(reader.position)
          if (one === undefined) return undefined
          list.push(one)
        }
        if (reader.peek() !== '}') return reader.syntax(`missing } after arguments of "${name}"`)
        reader.position++
        return { arguments: list }
      }
      const only = reader.argument(`missing { after "${name}"`)
      return only && { arguments: [only] }
    },
    compile: () => () => false,
  }
}

export const pendingConditions: readonly ConditionRow[] = [
  pending('ldapauth', 'LDAP does not work yet'),
  pending('pam', 'PAM is not supported; use crypteq or the dovecot authenticator'),
  pending('pwcheck', 'pwcheck is not supported; use crypteq or the dovecot authenticator'),
  pending('radius', 'RADIUS is not supported; use crypteq or the dovecot authenticator'),
  pending('saslauthd', 'saslauthd does not work yet; use crypteq or the dovecot authenticator'),
]
