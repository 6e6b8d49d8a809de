/** The `From ` line that UUCP puts before the headers. Source: Exim manual, "The UUCP From line". */
import type { Context } from '../../ports.ts'

/** `From ph10 Fri Jan  5 12:35 GMT 1996` and `From ph10 Fri, 7 Jan 97 14:00:00 GMT`. */
const defaultPattern =
  /^From\s+(\S+)\s+(?:[A-Za-z]{3},?\s*)?(?:[A-Za-z]{3}\s+\d{1,2}|\d{1,2}\s+[A-Za-z]{3}\s+\d\d(?:\d\d)?)\s+\d\d?:\d\d?/

/** The pattern of `uucp_from_pattern`, or the usual one when it is unset or cannot be used here. */
export function uucpPattern(settings: Context['settings']): RegExp {
  const text = settings.uucp_from_pattern
  if (text === undefined || text === '') return defaultPattern
  try {
    return new RegExp(text)
  } catch {
    return defaultPattern
  }
}
