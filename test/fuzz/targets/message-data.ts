/** Message bytes with every kind of line end, cut at random places, through DATA and BDAT. */
import { DataScanner } from '../../../src/wire/smtp/data-scanner.ts'
import { mutate, type Random } from '../random.ts'
import type { FuzzTarget } from '../target.ts'

const seeds = [
  'Subject: x\r\n\r\nbody\r\n..dot\r\n.\r\nQUIT\r\n',
  'a\n.\nb\r.\rc\r\n.\nd\n.\r\ne\r\n.\re\r\n.\r\n',
  '.\r\n',
  'S: x\r\n\r\n\r\n.\r.\r\n.\n.\r\n',
]
const bits = ['\r\n.\r\n', '\n.\n', '\r.\r', '\r\n', '\n', '\r', '.', '..', '\0', '\xff', '\r\r\n', '\n\r']

function through(
  pieces: readonly Buffer[],
  dots: 'stuffed' | 'none',
): { readonly text: string; readonly rest: string } {
  const scanner = new DataScanner({ dots, lenient: false })
  let text = ''
  for (const [index, piece] of pieces.entries()) {
    const scanned = scanner.push(Buffer.from(piece))
    text += scanned.lead + scanned.bytes.toString('latin1')
    if (!scanned.done) continue
    const after = pieces.slice(index + 1).map((one) => one.toString('latin1'))
    return { text, rest: `${scanned.rest.toString('latin1')}${after.join('')}` }
  }
  return { text: `${text}${scanner.finish()}`, rest: '' }
}

export const messageData: FuzzTarget = {
  name: 'message-data',
  says: 'message bytes mean the same however they are cut, hold no CR, and end only at CRLF, dot, CRLF',
  make: () => ({
    generate: (random: Random) =>
      String.fromCharCode(random.below(256)) + mutate(random.pick(seeds), random, seeds, bits),
    run(input) {
      const bytes = Buffer.from(input.slice(1), 'latin1')
      const step = 1 + (input.charCodeAt(0) % 20)
      const cut: Buffer[] = []
      for (let at = 0; at < bytes.length; at += step) cut.push(bytes.subarray(at, at + step))
      for (const dots of ['stuffed', 'none'] as const) {
        const whole = through([bytes], dots)
        const pieces = through(cut, dots)
        if (whole.text !== pieces.text || whole.rest !== pieces.rest)
          throw new Error(`${dots}: cutting matters`)
        if (whole.text.includes('\r')) throw new Error(`${dots}: a CR is passed on`)
        const text = bytes.toString('latin1')
        const end = text.startsWith('.\r\n')
          ? 3
          : text.indexOf('\r\n.\r\n') < 0
            ? -1
            : text.indexOf('\r\n.\r\n') + 5
        const expected = dots === 'none' || end < 0 ? '' : text.slice(end)
        if (whole.rest !== expected) throw new Error(`${dots}: the data ended elsewhere`)
      }
      return 'same'
    },
  }),
}
