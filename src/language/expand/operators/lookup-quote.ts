/** `${quote_mysql:...}` and its kin: quoting for query-style lookups. */
import { retaint, textOf, type ByteString } from '../../../base/text.ts'
import { lookupTypes } from '../../lookups/parse-type.ts'
import type { OperatorRow } from '../rows.ts'
import { quoters } from './quoting.ts'

/** Single-key lookups need no quoting: the text stays, and so does its taint. */
function row(type: string): OperatorRow {
  const quote: ((text: ByteString) => ByteString) | undefined = quoters[type]
  return {
    name: `quote_${type}`,
    doc:
      quote === undefined
        ? `Leaves the text as it is: ${type} needs no quoting.`
        : `Quotes for a ${type} query.`,
    since: '0.1',
    manual: 'Expansion operators',
    apply(text) {
      if (quote === undefined) return text
      return retaint(quote(textOf(text)), text, type)
    },
  }
}

export const lookupQuoting: readonly OperatorRow[] = [...Object.keys(lookupTypes), 'ldap_dn'].map(row)
