/** Regular expressions as list items. */
import { compileRegex } from '../../base/regex.ts'
import { isTainted, taint, textOf, type Text } from '../../base/text.ts'

export interface Pattern {
  /** `$0`, `$1` ... of a match; undefined: no match; an error when the effort got too big. */
  match(text: Text): readonly (Text | undefined)[] | undefined | { readonly error: string }
}

/** Compiles an item that begins with a circumflex. */
export function compilePattern(source: string, caseful: boolean): Pattern | { readonly error: string } {
  const regex = compileRegex(source, { caseless: !caseful })
  if ('error' in regex) return { error: `regular expression error: ${regex.error} while compiling ${source}` }
  return {
    match(text) {
      const found = regex.match(textOf(text))
      if (found === undefined || 'error' in found) return found
      if (!isTainted(text)) return found
      const origin = text.spans[0]?.origin ?? ''
      return found.map((part) => (part === undefined ? part : taint(part, origin)))
    },
  }
}
