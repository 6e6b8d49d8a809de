/** Items of lists that are not what they seem: several with commas between them, half an address, a second condition. */
import { nearest, type Report } from '../../../base/diagnostic.ts'
import { parseIp } from '../../../base/ip.ts'
import { textOf } from '../../../base/text.ts'
import { createListMatcher } from '../../../language/lists/index.ts'
import { rows } from '../../../policy/acl/parse.ts'
import { type FoundList, listsOf } from './lists-of.ts'
import type { Check } from './subject.ts'

export const listItems: Check = {
  name: 'list-items',
  doc: 'Commas between items, addresses that are none, two conditions in one line.',
  run(subject, report) {
    for (const list of listsOf(subject)) {
      // What an expansion gives is not known here.
      if (/[$\\]/.test(list.text.text)) continue
      for (const item of createListMatcher().splitList(list.text.text))
        judge(textOf(item).trim(), list, report)
    }
  },
}

function judge(item: string, { kind, text, in: where }: FoundList, report: Report): void {
  const start = Math.max(0, text.text.indexOf(item))
  const at = text.span(start, start + item.length)
  if (kind !== 'string' && isRow(item)) {
    report({
      code: 'list-commas',
      severity: 'warning',
      message: `"${item}" is one item, which never matches: the items of a list are separated by colons`,
      at,
      help: `write "${item
        .split(',')
        .map((each) => each.trim())
        .join(' : ')}", or begin the list with "<,"`,
    })
    return
  }
  const second = where === 'acl' ? /\s(!?\s*([a-z_]+)\s*=.*)$/s.exec(item) : null
  const word = second?.[2] ?? ''
  if (
    second !== null &&
    (rows.has(word) || nearest(word, rows.keys()) !== undefined) &&
    !item.includes(';')
  ) {
    const from = start + item.length - (second[1] ?? '').length
    report({
      code: 'acl-two-conditions',
      severity: 'warning',
      message: `"${second[1] ?? ''}" is part of the list before it: a condition takes the rest of its line`,
      at: text.span(from, start + item.length),
      help: 'put each condition on a line of its own',
    })
    return
  }
  const bare = item.replace(/^!\s*/, '')
  if (kind === 'host' && /^\d{1,4}(?:\.\d{1,4}){3}$/.test(bare) && parseIp(bare) === undefined)
    report({
      code: 'list-address',
      severity: 'warning',
      message: `"${bare}" is no address: it is looked up as the name of a host`,
      at,
      help: 'each of the four numbers is at most 255',
    })
}

/** Domains, addresses or networks with commas between them. */
function isRow(item: string): boolean {
  if (!item.includes(',') || /[;^()[\]{}"']/.test(item)) return false
  const parts = item.split(',').map((each) => each.trim())
  return parts.length > 1 && parts.every((each) => /^!?[\w*+@.:/-]*[.@*][\w*@./-]*$|^\+\w+$/.test(each))
}
