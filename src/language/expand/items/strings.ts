/** Items that work on strings: substr, length, hash, nhash, tr, sg, listquote. */
import { isFailure, type Failure, type Outcome } from '../../../base/outcome.ts'
import { type ByteString, concat, isTainted, retaint, slice, textOf, type Text } from '../../../base/text.ts'
import { failure } from '../environment.ts'
import { quoteItem } from '../evaluate.ts'
import { hashText, numericHash, substring } from '../pieces.ts'
import type { ItemRow } from '../rows.ts'
import { plainItem } from './kinds.ts'

const manual = 'Expansion items'

/** `hash`, `length`, `nhash` and `substr` take numbers first, then the string; an empty number is 0. */
const largest = 2 ** 31 - 1

function counted(
  text: Text | undefined,
  name: string,
  negative: boolean,
  second: boolean = false,
): number | Failure {
  const digits = textOf(text ?? '').trimStart()
  if (digits === '' && textOf(text ?? '') === '') return 0
  if (!/^[+-]?\d+$/.test(digits)) {
    const wanted = name === 'length' || second ? 'positive number' : 'number'
    return failure(`"${textOf(text ?? '')}" is not a ${wanted} (in "${name}" expansion)`)
  }
  const value = Math.max(-largest, Math.min(largest, Number(digits)))
  if (value < 0 && !negative) return failure(`"${digits}" is not a positive number (in "${name}" expansion)`)
  return value
}

function numbersFirst(
  name: string,
  doc: string,
  most: number,
  apply: (first: number, second: number | undefined, subject: Text) => Outcome,
): ItemRow {
  return plainItem({
    name,
    doc,
    since: '0.1',
    manual,
    least: 2,
    most,
    apply(values) {
      const first = counted(values[0], name, name === 'substr')
      if (isFailure(first)) return first
      const second = values.length > 2 ? counted(values[1], name, false, true) : undefined
      if (isFailure(second)) return second
      return apply(first, second, values.at(-1) ?? '')
    },
  })
}

const tr = plainItem({
  name: 'tr',
  doc: 'Replaces each character that is in the second string by the one at its place in the third.',
  since: '0.1',
  manual,
  least: 3,
  most: 3,
  apply([subject, from, to]) {
    const letters = textOf(from ?? '')
    const replacements = textOf(to ?? '')
    if (replacements === '') return subject ?? ''
    const last = replacements.length - 1
    let result = ''
    for (const char of textOf(subject ?? '')) {
      const at = letters.lastIndexOf(char)
      result += at < 0 ? char : replacements.charAt(Math.min(at, last))
    }
    return retaint(result, isTainted(subject ?? '') ? (subject ?? '') : (to ?? ''))
  },
})

/** Most replacements of one `${sg`. */
const mostReplacements = 100_000

/** What came from outside stands in the replacement as it is: no `$` in it means anything. */
function literalWhereTainted(replacement: Text): ByteString {
  if (!isTainted(replacement)) return replacement
  let text = ''
  let copied = 0
  for (const { start, end } of replacement.spans) {
    text += replacement.text.slice(copied, start)
    text += replacement.text.slice(start, end).replace(/[\\$}]/g, '\\$&')
    copied = end
  }
  return text + replacement.text.slice(copied)
}

const sg = plainItem({
  name: 'sg',
  doc: 'Replaces each match of the regular expression by the third string, in which $0, $1 ... are the groups.',
  since: '0.1',
  manual,
  least: 3,
  most: 3,
  apply([subject = '', pattern = '', replacement = ''], environment) {
    const template = literalWhereTainted(replacement)
    const regex = environment.engine.regex(textOf(pattern))
    if (isFailure(regex)) return regex
    const text = textOf(subject)
    const { captures } = environment
    const pieces: Text[] = []
    let copied = 0
    let at = 0
    let total = 0
    for (let count = 0; ; count++) {
      const found = regex.match(text, at)
      if (found === undefined) break
      if ('error' in found) return failure(found.error)
      if (count >= mostReplacements) return failure(`more than ${mostReplacements} replacements in "sg"`)
      const whole = found[0] ?? ''
      pieces.push(slice(subject, copied, found.index))
      environment.captures = found.map((group) => (group === undefined ? undefined : retaint(group, subject)))
      const filled = environment.engine.expandWithin(template, environment)
      environment.captures = captures
      if (filled instanceof Promise) return failure('the replacement of "sg" may not wait for anything')
      if (isFailure(filled)) return filled
      pieces.push(isTainted(filled) ? filled : retaint(filled, replacement))
      total += textOf(filled).length
      if (total > 16 * 1024 * 1024) return failure('expansion result is too long')
      copied = found.index + whole.length
      at = copied
      if (whole === '') {
        if (at >= text.length) break
        // An empty match: Perl takes the next character as it is, then looks again.
        at++
      }
    }
    if (pieces.length === 0) return subject
    pieces.push(slice(subject, copied))
    return concat(pieces)
  },
})

const listquote = plainItem({
  name: 'listquote',
  doc: 'Doubles the separator in the string, so that it can be an item of a list.',
  since: '0.1',
  manual,
  least: 2,
  most: 2,
  apply([separator = '', subject = '']) {
    const text = textOf(subject)
    if (text === '') return ' '
    const mark = textOf(separator).charAt(0)
    return mark === '' ? subject : retaint(quoteItem(text, mark), subject)
  },
})

export const stringItems: readonly ItemRow[] = [
  numbersFirst('hash', 'Makes a short text of letters from a string.', 3, (length, letters, subject) =>
    hashText(length, letters, subject),
  ),
  numbersFirst('length', 'The beginning of a string.', 2, (length, _, subject) => slice(subject, 0, length)),
  listquote,
  numbersFirst('nhash', 'Makes one or two numbers from a string.', 3, (first, second, subject) =>
    numericHash(first, second, subject),
  ),
  sg,
  numbersFirst('substr', 'A part of a string, by offset and length.', 3, (start, length, subject) =>
    substring(start, length, subject),
  ),
  tr,
]
