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
    const judge: Judge = (pattern, text, start, end, help) => {
      const compiled = compileRegex(pattern)
      if (!('error' in compiled)) return
      const [at, written] = placeOf(pattern, text.text, start)
      const fault = Math.min(at + writtenOffset(written, pattern, compiled.at), at + written.length - 1)
      report({
        code: 'regex',
        severity: 'error',
        message: `regular expression error in "${pattern}": ${compiled.error} at offset ${compiled.at}`,
        at: at < 0 ? text.span(start, end) : text.span(Math.max(at, fault), Math.max(fault + 1, at + 1)),
        help,
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
      for (const { pattern, help } of listPatterns(owned)) judge(pattern, text, 0, text.text.length, help)
    }
    rewritePatterns(subject, judge)
  },
}

type Judge = (pattern: string, text: Expandable, start: number, end: number, help?: string) => void

/** Where a pattern stands in a text, and how it is written there, some of it after a backslash; -1: not found. */
function placeOf(pattern: string, text: string, start: number): readonly [at: number, written: string] {
  const plain = text.indexOf(pattern, start)
  if (plain >= 0 || pattern.length > longestEscaped) return [plain, pattern]
  const escaped = pattern.replaceAll(/[^]/g, (each) => `\\\\?${each.replace(/[^\w\s]/, '\\$&')}`)
  const found = new RegExp(escaped).exec(text.slice(start))
  return found === null ? [-1, pattern] : [start + found.index, found[0]]
}

const longestEscaped = 1000

/** An offset into a pattern as one into what is written. */
function writtenOffset(written: string, pattern: string, offset: number): number {
  let at = 0
  for (let i = 0; i < offset; i++, at++) if (written[at] !== pattern[i]) at++
  return at
}

/** Items of a constant list that begin with a circumflex. */
function listPatterns({
  text,
  tree,
  owner,
}: OwnedText): { readonly pattern: string; readonly help?: string }[] {
  const isList =
    owner.in === 'list' ||
    (owner.in === 'acl' && listConditions.has(owner.row)) ||
    ((owner.in === 'main' || owner.in === 'router') &&
      listTypes.has(typeOf(owner.in === 'main' ? mainOptions : routerOptions, owner.option)))
  const value = isList ? constantText(tree) : undefined
  if (value === undefined) return []
  const items = createListMatcher()
    .splitList(value)
    .map((item) => textOf(item).replace(/^!\s*/, ''))
  return items.flatMap((pattern, i) =>
    pattern.startsWith('^') ? [{ pattern, ...cutHelp(pattern, items.slice(i + 1), text.text) }] : [],
  )
}

/** `^(?:a|b)` in a list: the colon ended the item. */
function cutHelp(pattern: string, after: readonly string[], text: string): { readonly help?: string } {
  if (/^\s*</.test(text) || !('error' in compileRegex(pattern))) return {}
  let whole = pattern
  for (const item of after.slice(0, mostPieces)) {
    whole += `:${item}`
    if (item.startsWith('^')) return {}
    if (!('error' in compileRegex(whole)))
      return {
        help: `a colon separates the items of a list: double each one of the expression, ${doubled(whole, text)}, or begin the list with "<;" and separate its items by semicolons`,
      }
  }
  return {}
}

const mostPieces = 8

/** With the dollars as they are written. */
function doubled(pattern: string, text: string): string {
  const written = pattern.replaceAll(':', '::')
  return text.includes('\\$') ? written.replaceAll('$', '\\$') : written
}
const listConditions = new Set('domains local_parts senders sender_domains recipients hosts'.split(' '))
const listTypes = new Set<string | undefined>(['domainList', 'hostList', 'addressList', 'localPartList'])

function typeOf(table: OptionTable, option: string): string | undefined {
  return table[option]?.type
}

function rewritePatterns({ configuration }: Subject, judge: Judge): void {
  for (const { pattern } of configuration.rewrite) {
    const text = pattern.text.replaceAll('\\N', '')
    if (text.startsWith('^') && !text.includes('$')) judge(text, pattern, 0, pattern.text.length)
  }
}
