/** Looks for regular expressions in a stretch of a file, line by line, without holding others up. */
import { type CompiledRegex, compileRegex } from '../../base/regex.ts'
import { type ByteString, fromBytes, taint } from '../../base/text.ts'
import type { Context } from '../../ports.ts'

/** Longest line that is looked at whole. Source: Exim manual, "Scanning with regular expressions". */
const longestLine = 32_768
/** Work at one go. */
const sliceMs = 8
const mostGroups = 9

export interface Pattern {
  readonly text: ByteString
  readonly regex: CompiledRegex
}

/** Patterns that compile; of the others the log tells. */
export function compilePatterns(
  condition: string,
  texts: readonly ByteString[],
  context: Context,
): Pattern[] {
  return texts.flatMap((text) => {
    if (text === '') return []
    const regex = compileRegex(text)
    if (!('error' in regex)) return [{ text, regex }]
    context.ports.log.main(
      context.message?.id,
      `${condition} acl condition warning - error in regex '${text}': ${regex.error} at offset ${regex.at}, skipped.`,
    )
    return []
  })
}

/** Clears what an earlier match left. */
export function forgetMatch({ variables }: Context): void {
  variables.delete('regex_match_string')
  for (let i = 1; i <= mostGroups; i++) variables.delete(`regex${i}`)
}

/** Tries the patterns on a text; the first that matches is told in variables. */
export function matchText(text: ByteString, patterns: readonly Pattern[], context: Context): boolean {
  for (const { text: pattern, regex } of patterns) {
    const found = regex.match(text)
    if (found === undefined) continue
    if ('error' in found) {
      context.ports.log.main(
        context.message?.id,
        `regex acl condition warning - '${pattern}': ${found.error}`,
      )
      continue
    }
    context.variables.set('regex_match_string', pattern)
    for (let i = 1; i <= mostGroups; i++) {
      const group = found[i]
      if (group !== undefined) context.variables.set(`regex${i}`, taint(group, `$regex${i}`))
    }
    return true
  }
  return false
}

export async function matchLines(
  pieces: AsyncIterable<Uint8Array>,
  patterns: readonly Pattern[],
  context: Context,
): Promise<boolean> {
  if (patterns.length === 0) return false
  let held = ''
  let began = performance.now()
  const tests = async (line: ByteString): Promise<boolean> => {
    if (matchText(line, patterns, context)) return true
    if (performance.now() - began < sliceMs) return false
    await new Promise<void>((resolve) => setImmediate(resolve))
    began = performance.now()
    return false
  }
  for await (const piece of pieces) {
    began = performance.now()
    held += fromBytes(piece)
    let from = 0
    for (let end = held.indexOf('\n'); end >= 0; end = held.indexOf('\n', from)) {
      if (await tests(held.slice(from, end + 1))) return true
      from = end + 1
    }
    held = held.slice(from)
    while (held.length >= longestLine) {
      if (await tests(held.slice(0, longestLine))) return true
      held = held.slice(longestLine)
    }
  }
  return held !== '' && tests(held)
}
