/** `${lookup dnsdb{mxx=$domain}}`: Exim defers each time. */
import { nearest } from '../../../base/diagnostic.ts'
import { dnsdbTypes } from '../../../language/lookups/dnsdb.ts'
import type { Check } from './subject.ts'
import { walk } from './walk.ts'

/** Separators and modifiers, then the type. */
const typed =
  /^(\s*(?:>.(?:,.|;)?\s*)?(?:(?:defer|dnssec|retrans|retry)_[a-z0-9]+\s*,\s*)*)([a-z][\w+-]*)\s*=/i

export const dnsdbQueries: Check = {
  name: 'dnsdb-types',
  doc: 'Types of DNS records that dnsdb does not know.',
  run({ texts }, report) {
    for (const { text, tree } of texts) {
      if (tree === undefined) continue
      walk(tree, {
        node(node) {
          if (node.kind !== 'item' || node.name !== 'lookup' || !/^dnsdb(?:,|$)/.test(node.parts.word ?? ''))
            return
          const [query] = node.parts.arguments
          if (query === undefined) return
          const [, before = '', word] = typed.exec(text.text.slice(query.start, query.end)) ?? []
          if (word === undefined || dnsdbTypes.includes(word.toLowerCase())) return
          const start = query.start + before.length
          const near = nearest(word.toLowerCase(), dnsdbTypes)
          report({
            code: 'dnsdb-type',
            severity: 'error',
            message: 'unsupported DNS record type',
            at: text.span(start, start + word.length),
            help: near === undefined ? `known are ${dnsdbTypes.join(', ')}` : `did you mean "${near}"?`,
          })
        },
      })
    }
  },
}
