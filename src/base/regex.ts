/** Regular expressions in Perl's syntax, as Exim's users write them. */
import type { ByteString } from './text.ts'

export interface CompiledRegex {
  /** The groups, `[0]` the whole match; undefined: no match; an error when the effort got too big. */
  match(subject: ByteString, from?: number): RegexMatch | undefined | { readonly error: string }
}
export type RegexMatch = (string | undefined)[] & { readonly index: number }

export function compileRegex(
  pattern: ByteString,
  options: { readonly caseless?: boolean } = {},
): CompiledRegex | { readonly error: string; readonly at: number } {
  try {
    const regex = new RegExp(pattern, `g${options.caseless === true ? 'i' : ''}`)
    return {
      match(subject, from = 0) {
        regex.lastIndex = from
        const found = regex.exec(subject)
        return found === null ? undefined : Object.assign([...found], { index: found.index })
      },
    }
  } catch (error) {
    return { error: String(error), at: 0 }
  }
}
