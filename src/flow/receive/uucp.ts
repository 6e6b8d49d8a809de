/** The `From ` line that UUCP puts before the headers. Source: Exim manual, "The UUCP From line". */
import { compileRegex } from '../../base/regex.ts'
import type { ByteString } from '../../base/text.ts'
import type { Context } from '../../ports.ts'

/** `From ph10 Fri Jan  5 12:35 GMT 1996` and `From ph10 Fri, 7 Jan 97 14:00:00 GMT`. */
const defaultPattern =
  /^From\s+(\S+)\s+(?:[A-Za-z]{3},?\s*)?(?:[A-Za-z]{3}\s+\d{1,2}|\d{1,2}\s+[A-Za-z]{3}\s+\d\d(?:\d\d)?)\s+\d\d?:\d\d?/

/** Finds the sender in a line of that form; undefined: the line is none. */
export type UucpLine = (line: ByteString) => ByteString | undefined

/** By `uucp_from_pattern`, or the usual form when it is unset or cannot be used here. */
export function uucpLine(settings: Context['settings']): UucpLine {
  const text = settings.uucp_from_pattern
  const regex = text === undefined || text === '' ? undefined : compileRegex(text)
  if (regex === undefined || 'error' in regex) {
    return (line) => {
      const match = defaultPattern.exec(line)
      return match === null ? undefined : (match[1] ?? '')
    }
  }
  return (line) => {
    const match = regex.match(line)
    return match === undefined || 'error' in match ? undefined : (match[1] ?? '')
  }
}
