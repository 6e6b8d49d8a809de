/** What an expanded condition comes to. */
import { type Text, textOf } from '../base/text.ts'

/** Conditions of routers and transports, `ipv4_only`: anything but empty, 0, no, false counts as yes, white space too. */
export function isTrueText(value: Text): boolean {
  const word = textOf(value).toLowerCase()
  return word !== '' && word !== '0' && word !== 'no' && word !== 'false'
}
