/** Passwords in queries and lists of servers are not shown; who wrote them knows them. */
import type { ByteString } from '../base/text.ts'

const passwords = /\b(pass(?:word)?|servers|secret)(\s*=\s*)("[^"]*"|[^\s{}"]+)/gi
const mayHidePassword = /pass|servers|secret/i

export function withoutPasswords(text: ByteString): ByteString {
  return text.includes('=') && mayHidePassword.test(text) ? text.replace(passwords, '$1$2****') : text
}
