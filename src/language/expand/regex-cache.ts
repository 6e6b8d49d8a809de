/** Compiled regular expressions of expansions, the most recently used ones kept. */
import type { Failure } from '../../base/outcome.ts'
import { Recent } from '../../base/recent.ts'
import { compileRegex, type CompiledRegex } from '../../base/regex.ts'
import { failure } from './environment.ts'

/** Gives the compiled form of a pattern; a pattern that is none gives Exim's sentence. */
export type RegexCache = (pattern: string) => CompiledRegex | Failure

export function createRegexCache(most: number = 1000): RegexCache {
  const kept = new Recent<string, CompiledRegex | Failure>(most)
  return (pattern) => {
    const known = kept.get(pattern)
    if (known !== undefined) return known
    const compiled = compileRegex(pattern)
    const result =
      'error' in compiled
        ? failure(`regular expression error in "${pattern}": ${compiled.error} at offset ${compiled.at}`)
        : compiled
    kept.set(pattern, result)
    return result
  }
}
