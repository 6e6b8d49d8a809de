import { decodeUtf8, encodeUtf8, retaint, textOf } from '../../../base/text.ts'
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
    if (mark.length !== 1) return failure(`IMAP folder separator must be one character, found "${mark}"`)
    const written = textOf(folder)
    const unicode = decodeUtf8(written)
    if (encodeUtf8(unicode) !== written) {
      const cut = /(?:[\xc2-\xf4]|[\xe0-\xf4][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf]{2})$/.test(written)
      const what = cut ? 'Invalid argument' : 'Invalid or incomplete multibyte or wide character'
      return failure(`imapfolder: iconv() failed to convert from UTF-8: ${what}`)
    }
    const illegal = Array.from(written).find(
      (char) => './'.includes(char) && char !== mark && !textOf(specials).includes(char),
    )
    if (illegal !== undefined) return failure(`imapfolder: illegal character '${illegal}'`)
    const levels = unicode
      .split(mark)
      .filter((level) => level !== '')
      .map((level) => modifiedUtf7(level))
      .map((level) => protect(level, `.${textOf(specials)}`))
    return retaint(levels.join('.'), folder)
  },
})

/** Characters that mean something to Maildir are written in base 64 too. */
function protect(level: string, specials: string): string {
  const special = new RegExp(`[${specials.replace(/[^A-Za-z0-9]/g, '\\$&')}]+`, 'g')
  return level.replace(special, (run) => {
    const bytes = Buffer.from(run, 'utf16le').swap16()
    return `&${bytes.toString('base64').replace(/=+$/, '').replaceAll('/', ',')}-`
  })
}
