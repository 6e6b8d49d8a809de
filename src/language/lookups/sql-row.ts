/** Rows of a database as the text of a lookup. Source: Exim manual, "SQL lookups"; details observed of Exim 4.96. */
import type { ByteString } from '../../base/text.ts'

/** What a statement gave. Values are bytes; undefined is NULL. */
export interface SqlRows {
  readonly columns: readonly ByteString[]
  readonly rows: readonly (readonly (ByteString | undefined)[])[]
}

/** One column: the bare values; several: `name=value ` each; rows are joined by newlines. */
export function showRows(result: SqlRows, nullAs: ByteString = ''): ByteString {
  const { columns, rows } = result
  if (columns.length === 1) return rows.map((row) => row[0] ?? nullAs).join('\n')
  return rows
    .map((row) => row.map((value, i) => `${columns[i] ?? ''}=${quoteValue(value ?? nullAs)} `).join(''))
    .join('\n')
}

/** In quotes when it is empty, holds white space or begins with a quote. */
function quoteValue(value: ByteString): ByteString {
  if (value !== '' && !/^"|[ \t\n\v\f\r]/.test(value)) return value
  return `"${value.replace(/["\\]/g, '\\$&').replace(/\n/g, '\n')}"`
}
