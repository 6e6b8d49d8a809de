/** Pieces of expansions whose argument is constant and wrong: `${eval:1+}`, `${mask:10.0.0.1/99}`, `${if >{$x}{20MB}...`. */
import { createConstantJudge } from '../../../language/expand/constant.ts'
import { createListMatcher } from '../../../language/lists/index.ts'
import type { Check } from './subject.ts'
import { walk } from './walk.ts'

const helps: ReadonlyMap<string, string> = new Map([
  ['bool', 'yes, no, true, false or a number; bool_lax takes any word'],
  ['eval', 'numbers (08 is no octal number; eval10 takes it), + - * / % & | ^ ~ << >> and parentheses'],
  ['eval10', 'decimal numbers, + - * / % & | ^ ~ << >> and parentheses'],
  ['listnamed', '_a, _d, _h or _l may follow the name; the list must be defined'],
  ['mask', 'an address, a slash and a number of bits: 192.0.2.9/24'],
  ['match_ip', 'the address comes first, then the list'],
  ['sha2', '_256, _384 or _512 may follow the name'],
  ['sha3', '_224, _256, _384 or _512 may follow the name'],
  ['sort', 'the name of a comparison: lt, gti, <, >= ...'],
  ['time_eval', 'a time is numbers with a unit each: 1h30m'],
  ['hmac', 'md5 or sha1'],
])

const comparing: ReadonlySet<string> = new Set(['=', '==', '<', '<=', '>', '>='])

export const constantExpansions: Check = {
  name: 'constant-expansions',
  doc: 'Operators, items and conditions that fail each time, because an argument is constant and wrong.',
  run({ configuration, texts }, report) {
    const judge = createConstantJudge(configuration, (list) => createListMatcher().splitList(list))
    for (const { text, tree } of texts) {
      if (tree === undefined) continue
      walk(tree, {
        node(node) {
          const fault = judge.node(node)
          if (fault === undefined) return
          report({
            code: 'expansion-constant',
            severity: 'error',
            message: fault.message,
            at: text.span(fault.start, fault.end),
            help: 'row' in node ? helps.get(node.row.name) : undefined,
          })
        },
        condition(node) {
          const compares = comparing.has(node.name)
          for (const fault of judge.condition(node))
            report({
              code: compares ? 'expansion-number' : 'expansion-constant',
              severity: 'error',
              message: fault.message,
              at: text.span(fault.start, fault.end),
              help: compares
                ? 'a number, with K, M or G after it; words are compared with eq'
                : helps.get(node.name),
            })
        },
      })
    }
  },
}
