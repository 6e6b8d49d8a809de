import { retaint, textOf, toBytes } from '../../../base/text.ts'
import { failure } from '../environment.ts'
import { plainItem } from './kinds.ts'

/** Modified UTF-7 of RFC 3501 section 5.1.3. */
function modifiedUtf7(text: string): string {
  return text.replaceAll('&', '&-').replace(/[^ -~]+/g, (run) => {
    const bytes = Buffer.from(run, 'utf16le').swap16()
    return `&${bytes.toString('base64').replace(/=+$/, '').replaceAll('/', ',')}-`
  })
}

export const imapfolder = plainItem({
  name: 'imapfolder',
  doc: 'A folder name as Maildir has it: modified UTF-7, dots between levels.',
  since: '0.1',
  manual: 'Expansion items',
  least: 1,
  most: 3,
  apply([folder = '', separator = '/', specials = '']) {
    const mark = textOf(separator)
    if (mark.length !== 1) return failure('IMAP folder separator must be exactly one character')
    if (mark !== '.' && textOf(folder).includes('.')) return failure("imapfolder: illegal character '.'")
    const levels = toBytes(textOf(folder))
      .toString('utf8')
      .split(mark)
      .map((level) => modifiedUtf7(level))
      .map((level) => protect(level, `.${textOf(specials)}`))
    return retaint(levels.join('.'), folder)
  },
})

/** Characters that mean something to Maildir are written in base 64 too. */
function protect(level: string, specials: string): string {
  return level
    .split('')
    .map((char) => (specials.includes(char) ? encoded(char) : char))
    .join('')
}

function encoded(char: string): string {
  const bytes = Buffer.from(char, 'utf16le').swap16()
  return `&${bytes.toString('base64').replace(/=+$/, '').replaceAll('/', ',')}-`
}
