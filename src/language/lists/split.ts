/** Splits an expanded list into its items. */
import { concat, slice, textOf, type Text } from '../../base/text.ts'

const SPACE = /[ \t\n\v\f\r]/

/**
 * Splits a list at its separators; a doubled separator stands for itself, unless it is a control character.
 * White space around an item is dropped; an empty item at the end is ignored.
 * @param list text of the list, already expanded; `<;` at the start changes the separator
 * @returns the items, each with the taint that lies on it; an empty list gives []
 * Source: Exim manual, "List construction" to "Empty items in lists".
 */
export function splitList(list: Text): Text[] {
  const text = textOf(list)
  const { separator, start } = findSeparator(list)
  if (typeof list === 'string' && separator === ':' && start === 0 && !text.includes('::'))
    return splitPlain(list)
  const doubling = separator.charCodeAt(0) >= 32 && separator !== '\x7f'
  const items: Text[] = []
  let at = start
  for (;;) {
    while (at < text.length && text[at] !== separator && SPACE.test(text[at] ?? '')) at++
    if (at >= text.length) return items
    const pieces: Text[] = []
    let from = at
    for (;;) {
      const next = text.indexOf(separator, at)
      at = next < 0 ? text.length : next
      if (!doubling || text[at + 1] !== separator || next < 0) break
      pieces.push(slice(list, from, at + 1))
      from = at + 2
      at = from
    }
    pieces.push(slice(list, from, at))
    items.push(trimEnd(pieces.length === 1 ? (pieces[0] ?? '') : concat(pieces)))
    at++
  }
}

/** The separator of a list, and where its first item may start. A prefix that came from outside is not obeyed. */
export function findSeparator(list: Text): { readonly separator: string; readonly start: number } {
  const text = textOf(list)
  const at = text.search(/[^ \t\n\v\f\r]/)
  const candidate = at >= 0 && text[at] === '<' ? text[at + 1] : undefined
  if (candidate === undefined || !isSeparator(candidate) || taintedAt(list, at)) {
    return { separator: ':', start: 0 }
  }
  return { separator: candidate, start: at + 2 }
}

/** True when the byte at `at` came from outside. */
export function taintedAt(text: Text, at: number): boolean {
  return typeof text !== 'string' && text.spans.some((span) => span.start <= at && at < span.end)
}

/** Punctuation and control characters separate; letters, digits, white space and bytes over 126 do not. */
function isSeparator(char: string): boolean {
  const code = char.charCodeAt(0)
  return code < 32 || code === 127 || (code < 127 && code !== 32 && !/[0-9A-Za-z]/.test(char))
}

/** The common case without doubled separators, several times faster than the careful one. */
function splitPlain(list: string): string[] {
  const items = list.split(':')
  for (const [index, item] of items.entries()) items[index] = trimSpace(item)
  // What follows the last separator counts only when something stands there.
  if (items.at(-1) === '') items.pop()
  return items
}

function trimSpace(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isSpace(text.charCodeAt(start))) start++
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--
  return text.slice(start, keptEnd(text, end))
}

/** After a backslash a space stays: Exim takes it for a quoted one. */
function keptEnd(text: string, end: number): number {
  return end < text.length && end > 0 && text.charCodeAt(end - 1) === 92 ? end + 1 : end
}

function isSpace(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13)
}

function trimEnd(text: Text): Text {
  const bytes = textOf(text)
  let end = bytes.length
  while (end > 0 && SPACE.test(bytes.charAt(end - 1))) end--
  end = keptEnd(bytes, end)
  return end === bytes.length ? text : slice(text, 0, end)
}
