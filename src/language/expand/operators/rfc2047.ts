/** Words in other character sets in headers. */
import { decodeWords, encodeWords } from '../../../mail/rfc2047.ts'
import { failure } from '../environment.ts'
import type { OperatorRow } from '../rows.ts'
import { textOperator } from './kinds.ts'

const manual = 'Expansion operators'

export const rfc2047Operators: readonly OperatorRow[] = [
  textOperator({
    name: 'rfc2047',
    doc: 'Encodes text for a header as RFC 2047 has it.',
    since: '0.1',
    manual,
    convert: (text, environment) => encodeWords(text, environment.context.settings.headers_charset),
  }),
  textOperator({
    name: 'rfc2047d',
    doc: 'Decodes the encoded words of a header.',
    since: '0.1',
    manual,
    convert(text, environment) {
      const { headers_charset, check_rfc2047_length } = environment.context.settings
      const decoded = decodeWords(text, { charset: headers_charset, checkLength: check_rfc2047_length })
      return 'error' in decoded ? failure(decoded.error) : decoded.text
    },
  }),
]
