/** Splits the body of an address header (From:, To:, Cc: ...) into its addresses. Source: RFC 5322 section 3.4. */
import type { ByteString } from '../base/text.ts'

/** A stretch of a header body that holds one address with its name and comments. */
export interface AddressItem {
  readonly text: ByteString
  readonly start: number
  readonly end: number
}

/**
 * The addresses between commas, group names and semicolons left out. Commas in quotes, comments and angle
 * brackets do not separate. Empty items are dropped.
 */
export function splitAddressList(body: ByteString): AddressItem[] {
  const items: AddressItem[] = []
  let start = 0
  let inGroup = false
  let at = 0
  const close = (end: number): void => {
    const raw = body.slice(start, end)
    const text = raw.trim()
    if (text === '') return
    const from = start + (raw.length - raw.trimStart().length)
    items.push({ text, start: from, end: from + text.length })
  }
  while (at < body.length) {
    const char = body[at]
    if (char === '"') at = past(closingQuote(body, at), body)
    else if (char === '(') at = past(closingParenthesis(body, at), body)
    else if (char === '<') at = past(body.indexOf('>', at), body)
    else if (char === '[') at = past(body.indexOf(']', at), body)
    else {
      if (char === ',' || (char === ';' && inGroup)) {
        close(at)
        start = at + 1
        if (char === ';') inGroup = false
      } else if (char === ':' && !inGroup) {
        inGroup = true
        start = at + 1
      }
      at++
    }
  }
  close(body.length)
  return items
}

function past(index: number, body: ByteString): number {
  return index < 0 ? body.length : index + 1
}

/** Index of the quote that closes the one at `open`; -1 when there is none. */
function closingQuote(text: ByteString, open: number): number {
  for (let at = open + 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '"') return at
  }
  return -1
}

/** Index of the parenthesis that closes the comment at `open`; comments nest. */
function closingParenthesis(text: ByteString, open: number): number {
  let depth = 0
  for (let at = open; at < text.length; at++) {
    const char = text[at]
    if (char === '\\') at++
    else if (char === '(') depth++
    else if (char === ')' && --depth === 0) return at
  }
  return -1
}
