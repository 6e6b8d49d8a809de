/** Passwords in queries and lists of servers are not shown; who wrote them knows them. */
import type { ByteString } from '../base/text.ts'

const passwords = /\b(pass(?:word)?|servers|secret)(\s*=\s*)("[^"]*"|[^\s{}"]+)/gi

export function withoutPasswords(text: ByteString): ByteString {
  return mayHidePassword(text) ? text.replace(passwords, '$1$2****') : text
}

/** An equals sign after the last letters of one of those words: every line of the log has equals signs, and few have this. */
function mayHidePassword(text: ByteString): boolean {
  for (let at = text.indexOf('='); at >= 0; at = text.indexOf('=', at + 1))
    if (mayHidePasswordAt(text, at)) return true
  return false
}

/** @param at where an equals sign stands */
function mayHidePasswordAt(text: ByteString, at: number): boolean {
  let last = at - 1
  while (last > 0 && isSpace(text.charCodeAt(last))) last--
  return last > 0 && endsWord(text.charCodeAt(last - 1) | 0x20, text.charCodeAt(last) | 0x20)
}

/** `pass`, `password`, `servers`, `secret`. */
function endsWord(before: number, last: number): boolean {
  switch (last) {
    case 0x73: // s
      return before === 0x73 || before === 0x72
    case 0x64: // d
      return before === 0x72
    case 0x74: // t
      return before === 0x65
    default:
      return false
  }
}

/** What `\s` is among bytes. */
function isSpace(code: number): boolean {
  return code === 0x20 || (code >= 9 && code <= 13) || code === 0xa0
}
