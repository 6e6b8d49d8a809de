/** Backslashes of regular expressions that the expansion takes away: `${if match{$x}{^\d+}}` looks for the letter d. */
import type { Expandable } from '../../../base/expandable.ts'
import type { Report } from '../../../base/diagnostic.ts'
import type { Template } from '../../../language/expand/tree.ts'
import { listsOf } from './lists-of.ts'
import type { Check } from './subject.ts'
import { walk } from './walk.ts'

export const lostBackslashes: Check = {
  name: 'lost-backslashes',
  doc: 'Backslashes of regular expressions that are taken as those of the expansion.',
  run(subject, report) {
    for (const { text, tree } of subject.texts) {
      if (tree === undefined) continue
      const judge = (pattern: Template | undefined): void => {
        if (pattern !== undefined) tellLost(text, pattern.start, pattern.end, report)
      }
      walk(tree, {
        condition(node) {
          if (node.name === 'match') judge(node.parts.arguments[1])
        },
        node(node) {
          if (node.kind === 'item' && node.name === 'sg') judge(node.parts.arguments[1])
        },
      })
    }
    for (const { kind, text, in: where } of listsOf(subject))
      if (kind !== 'string' && where !== 'condition' && /(?:^|[:;]\s*)!?\s*\^/.test(text.text))
        tellLost(text, 0, text.text.length, report)
  },
}

/** `\b`, `\d` and their kin, of which the expansion leaves a letter; the first one is told. */
function tellLost(text: Expandable, start: number, end: number, report: Report): void {
  const pieces = text.text.slice(start, end).matchAll(/\\N.*?(?:\\N|$)|\\([bBdDsSwW])|\\./gs)
  for (const found of pieces) {
    const [whole, letter] = found
    if (letter === undefined) continue
    const at = start + found.index
    report({
      code: 'regex-backslash',
      severity: 'warning',
      message: `the expansion takes the backslash of "${whole}": the regular expression holds ${letter === 'b' ? 'a backspace' : `the letter "${letter}"`}`,
      at: text.span(at, at + whole.length),
      help: `write "\\${whole}", or put the whole expression between \\N and \\N`,
    })
    return
  }
}
