/**
 * Control characters that came from outside, in what people and programs read: logs, replies, headers, bounces.
 * C0 and DEL, and those of C1 too (U+0080 to U+009F), which a terminal obeys like ESC sequences: as single bytes, and
 * as UTF-8. The same bytes within other characters of UTF-8 are no controls. Source: ECMA-48 section 5.3; RFC 3629.
 */
import { type ByteString, type Text, textOf } from './text.ts'

const any = /[\0-\x08\x0a-\x1f\x7f-\x9f]/
const each =
  /[\0-\x08\x0a-\x1f\x7f]|\xc2[\x80-\x9f]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|[\x80-\x9f]/g

/** Puts something in the place of each byte of a control character; tabs stay. */
export function replaceControls(text: ByteString, show: (byte: string) => string): ByteString {
  if (!any.test(text)) return text
  return text.replace(each, (found) => {
    if (found.length === 1) return show(found)
    return found.length === 2 && found < '\xc2\xa0' ? `${show('\xc2')}${show(found.slice(1))}` : found
  })
}

/** The same, and line ends stay. */
export function replaceControlsInLines(text: ByteString, show: (byte: string) => string): ByteString {
  return replaceControls(text, (byte) => (byte === '\n' ? byte : show(byte)))
}

/**
 * A header text to add: what came from outside begins no line of its own, since its line ends are followed by a space,
 * as RFC 5322 section 2.2.3 folds; the configuration's own line ends stay. Control characters are left out.
 */
export function headerText(text: Text): ByteString {
  const own = textOf(text)
  if (typeof text === 'string') return withoutControls(own)
  let done = ''
  let at = 0
  for (const { start, end } of text.spans) {
    done += own.slice(at, start) + folded(own.slice(start, end), own[end])
    at = end
  }
  return withoutControls(done + own.slice(at))
}

/** @param next what stands after the stretch */
function folded(stretch: ByteString, next: string | undefined): ByteString {
  const lines = stretch.replace(/\r\n?/g, '\n').replace(/\n{2,}/g, '\n')
  // A line end at its very end joins the next word of the configuration to this header, unless nothing follows.
  return next === undefined ? lines.replace(/\n(?![ \t]|$)/g, '\n ') : lines.replace(/\n(?![ \t])/g, '\n ')
}

function withoutControls(text: ByteString): ByteString {
  return replaceControlsInLines(text.replace(/\r\n?/g, '\n'), () => '')
}
