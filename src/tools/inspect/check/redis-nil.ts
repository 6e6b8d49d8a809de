/**
 * `${lookup redis{GET ...}{yes}{no}}`: a key that does not exist gives an empty result, which is a result; so the second
 * string is used only when a server reports an error. Source: requirement R5, seen in Exim.
 */
import type { Check } from './subject.ts'
import { constantText, walk } from './walk.ts'

/** Commands that answer nil for what is not there. */
const nilCommands = /^\s*(?:GET|HGET|GETDEL|GETEX|LINDEX|LPOP|RPOP|SPOP|SRANDMEMBER|ZSCORE)\b/i

export const redisNil: Check = {
  name: 'redis-nil',
  doc: 'A second string after a Redis lookup that is never used.',
  run({ texts }, report) {
    for (const { text, tree } of texts) {
      if (tree === undefined) continue
      walk(tree, {
        node(node) {
          if (node.kind !== 'item' || node.name !== 'lookup') return
          const { word = '', arguments: given, branches } = node.parts
          if (!/^redis\b/.test(word) || /\bnil\s*=\s*fail\b/.test(word)) return
          const first = given[0]?.nodes[0]
          const command = constantText(given[0]) ?? (first?.kind === 'text' ? first.text : '')
          if (branches?.no === undefined || !nilCommands.test(command)) return
          const at =
            branches.no === 'fail'
              ? text.span(node.start, node.end)
              : text.span(branches.no.start, branches.no.end)
          report({
            code: 'redis-nil',
            severity: 'warning',
            message:
              'this string is not used when the key does not exist: Redis then answers nil, which counts as an empty result',
            at,
            help: 'write ${lookup redis,nil=fail {...}{yes}{no}}, or test the result with ${if eq{...}{}}',
          })
        },
      })
    }
  },
}
