/** Headers that ACLs add and remove. Source: Exim manual, "Adding header lines in ACLs". */
import { headerText } from '../../base/control-characters.ts'
import type { Text } from '../../base/text.ts'
import type { Context } from '../../ports.ts'

const PLACES = /^:(at_start|at_end|after_received|at_start_rfc):\s*/
/** More headers, or longer ones, than this are not added for one message. */
const MOST_HEADERS = 1000

/** Adds each header line of a text; a line that is no header becomes one of X-ACL-Warn. What came from outside begins none. */
export function addHeaders(context: Context, text: Text): void {
  const { message } = context
  if (message === undefined) return
  // A line end followed by white space continues the header.
  for (const line of headerText(text)
    .replace(/^\n+|\n+$/g, '')
    .split(/\n(?![ \t])/)) {
    if (line === '') continue
    const place = PLACES.exec(line)
    const rest = place === null ? line : line.slice(place[0].length)
    const where = place === null || place[1] === 'at_end' ? '' : `:${place[1] ?? ''}:`
    const header = `${where}${isHeader(rest) ? '' : 'X-ACL-Warn: '}${rest}\n`
    if (message.headersAdded.includes(header) || message.headersAdded.length >= MOST_HEADERS) continue
    message.headersAdded.push(header)
  }
}

/** RFC 5322 section 2.2: a name of printable characters without space, then a colon; Exim bears with a name that is missing. */
function isHeader(line: string): boolean {
  return /^[!-9;-~]*[ \t]*:/.test(line)
}
