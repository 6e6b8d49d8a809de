/** Constant regular expressions that do not compile: Exim says so when they are first used. */
import type { Expandable } from '../../../base/expandable.ts'
import { compileRegex } from '../../../base/regex.ts'
import { textOf } from '../../../base/text.ts'
import type { Template } from '../../../language/expand/tree.ts'
import { createListMatcher } from '../../../language/lists/index.ts'
import { mainOptions } from '../../../language/config/options/main.ts'
import { routerOptions } from '../../../language/config/options/router.ts'
import type { OptionTable } from '../../../language/config/options/table.ts'
import type { Check, OwnedText, Subject } from './subject.ts'
import { constantText, walk } from './walk.ts'

export const regularExpressions: Check = {
  name: 'regular-expressions',
  doc: 'Regular expressions that do not compile.',
  run(subject, report) {
    const judge = (pattern: string, text: Expandable, start: number, end: number): void => {
      const compiled = compileRegex(pattern)
      if (!('error' in compiled)) return
      // The offset counts bytes of the pattern, which are those of the text unless something was escaped.
      const at = text.text.indexOf(pattern, start)
      const fault = at < 0 ? start : Math.min(at + compiled.at, at + pattern.length - 1)
      report({
        code: 'regex',
        severity: 'error',
        message: `regular expression error in "${pattern}": ${compiled.error} at offset ${compiled.at}`,
        at: at < 0 ? text.span(start, end) : text.span(Math.max(at, fault), Math.max(fault + 1, at + 1)),
      })
    }
    for (const owned of subject.texts) {
      const { tree, text } = owned
      if (tree === undefined) continue
      const template = (argument: Template | undefined): void => {
        const pattern = constantText(argument)
        if (pattern !== undefined && argument !== undefined)
          judge(pattern, text, argument.start, argument.end)
      }
      walk(tree, {
        condition(node) {
          if (node.name === 'match') template(node.parts.arguments[1])
        },
        node(node) {
          if (node.kind === 'item' && node.name === 'sg') template(node.parts.arguments[1])
        },
      })
      for (const pattern of listPatterns(owned)) judge(pattern, text, 0, text.text.length)
    }
    rewritePatterns(subject, judge)
  },
}

/** Items of a constant list that begin with a circumflex. */
function listPatterns({ text, owner }: OwnedText): string[] {
  const isList =
    owner.in === 'list' ||
    (owner.in === 'acl' && listConditions.has(owner.row)) ||
    ((owner.in === 'main' || owner.in === 'router') &&
      listTypes.has(typeOf(owner.in === 'main' ? mainOptions : routerOptions, owner.option)))
  // `\N` keeps the rest from being expanded; anything else in it is found when it is used.
  const plain = text.text.replaceAll('\\N', '')
  if (!isList || /[$\\]/.test(plain.replaceAll(/\\[.\d@wsdSWDbB/\-$^*+?()[\]{}|]/g, ''))) return []
  const inner = text.text.includes('\\N') ? plain : /[$\\]/.test(plain) ? undefined : plain
  if (inner === undefined) return []
  return createListMatcher()
    .splitList(inner)
    .map((item) => textOf(item).replace(/^!\s*/, ''))
    .filter((item) => item.startsWith('^'))
}

const listConditions = new Set('domains local_parts senders sender_domains recipients hosts'.split(' '))
const listTypes = new Set<string | undefined>(['domainList', 'hostList', 'addressList', 'localPartList'])

function typeOf(table: OptionTable, option: string): string | undefined {
  return table[option]?.type
}

function rewritePatterns(
  { configuration }: Subject,
  judge: (pattern: string, text: Expandable, start: number, end: number) => void,
): void {
  for (const { pattern } of configuration.rewrite) {
    const text = pattern.text.replaceAll('\\N', '')
    if (text.startsWith('^') && !text.includes('$')) judge(text, pattern, 0, pattern.text.length)
  }
}
