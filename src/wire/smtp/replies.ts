/** Replies of an SMTP server: codes, several lines, enhanced codes. Source: RFC 5321 section 4.2, RFC 2034. */
import { replaceControls } from '../../base/control-characters.ts'
import type { ByteString } from '../../base/text.ts'

/**
 * A reply as it goes out. A text of several lines becomes several reply lines; an enhanced code at its start is
 * repeated on each.
 */
export function formatReply(code: number, text: ByteString): ByteString {
  if (!text.includes('\n')) return `${code} ${cleaned(text)}\r\n`
  const lines = text.split(/\r?\n/)
  // A trailing line end is no line of its own.
  if (lines.length > 1 && lines.at(-1) === '') lines.pop()
  const enhanced = lines.length > 1 ? (/^[245]\.\d{1,3}\.\d{1,3} /.exec(lines[0] ?? '')?.[0] ?? '') : ''
  const last = lines.length - 1
  return lines
    .map((line, index) => {
      const prefix = index === 0 || enhanced === '' ? '' : enhanced
      return `${code}${index === last ? ' ' : '-'}${prefix}${cleaned(line)}\r\n`
    })
    .join('')
}

/** RFC 5321 section 4.5.3.1.5 allows 512 bytes; Exim cuts at this, for clients that show replies to people. */
const widestText = 75
/** No cut is made before this. */
const narrowestText = 35

/** Cuts long lines of an ACL's words at spaces, after a colon where there is one. Observed of Exim 4.96. */
export function wrapReply(text: ByteString): ByteString {
  return text.split('\n').flatMap(wrapLine).join('\n')
}

function wrapLine(line: ByteString): ByteString[] {
  const lines: ByteString[] = []
  let rest = line
  while (rest.length > widestText) {
    const cut = cutOf(rest)
    if (cut < 0) break
    lines.push(rest.slice(0, cut).trimEnd())
    rest = rest.slice(cut).trimStart()
  }
  return [...lines, rest]
}

/** Where a line that is too long is cut; -1: nowhere. */
function cutOf(line: ByteString): number {
  const colon = line.lastIndexOf(': ', widestText - 1)
  if (colon >= narrowestText) return colon + 1
  const space = line.lastIndexOf(' ', widestText)
  return space > narrowestText ? space : line.indexOf(' ', widestText)
}

/** Nothing from outside may end a line or hide in it. */
function cleaned(line: ByteString): ByteString {
  return replaceControls(line, () => '?')
}

/** A reply that an ACL chose: `message = 550 5.7.1 No` carries its own code when the class fits. */
export interface ChosenReply {
  readonly code: number
  readonly text: ByteString
  /** A code was given, of the wrong class: it is ignored, and the log says so. */
  readonly wrongCode: string | undefined
}

/** Takes a reply code off the front of an ACL's message. Source: Exim manual, "Setting the SMTP response code". */
export function chooseReply(message: ByteString, defaultCode: number): ChosenReply {
  const match = /^([2-5]\d\d)(?: |$)/.exec(message)
  const given = match?.[1]
  if (given === undefined) return { code: defaultCode, text: message, wrongCode: undefined }
  const text = message.slice(4)
  // VRFY is refused with 252, which says little; a plain refusal may be told all the same.
  const fits = given[0] === String(defaultCode)[0] || (defaultCode === 252 && given[0] === '5')
  if (fits) return { code: Number(given), text, wrongCode: undefined }
  // An enhanced code would be of the wrong class too.
  return { code: defaultCode, text: text.replace(/^[245]\.\d{1,3}\.\d{1,3} /, ''), wrongCode: given }
}
