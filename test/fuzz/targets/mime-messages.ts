/** MIME messages, cut at random places: the walker against itself, and against a reader of another house. */
import { makeDecoder } from '../../../src/mail/mime/decode.ts'
import { MimeWalker } from '../../../src/mail/mime/walker.ts'
import { mutate, type Random } from '../random.ts'
import type { FuzzTarget } from '../target.ts'

const seeds = [
  'Content-Type: multipart/mixed; boundary=AA\n\npre\n--AA\nContent-Type: text/plain; charset=utf-8\n\nhello\n--AA\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename*0*=utf-8\'\'a%20; filename*1="b.exe"\n\naGVsbG8=\n--AA--\npost\n',
  'Content-Type: multipart/alternative; boundary="A"\n\n--A\nContent-Type: multipart/related; boundary=AB\n\n--AB\n\nx\n--AB--\n--A\nContent-Type: message/rfc822\n\nSubject: y\nContent-Type: text/html\n\n<b>\n--A--\n',
  'Content-Type: text/plain; name="=?utf-8?B?w7wuZXhl?="\nContent-Transfer-Encoding: quoted-printable\n\na=20b=\nc=zz\n',
  'Content-Type: multipart/digest; boundary=D\n\n--D\n\nSubject: z\n\nq\n--D--\n',
]
const bits = [
  '\n--AA\n',
  '\n--A\n',
  '--',
  '--AA--\n',
  '\n\n',
  '\r\n',
  'boundary=',
  '"',
  ';',
  '=?',
  '?=',
  "''",
  '*0*=',
  '(',
  '\0',
  '\xff',
  'Content-Type: multipart/mixed; boundary=AA\n',
]

function walked(bytes: Buffer, step: number): string {
  const walker = new MimeWalker()
  for (let at = 0; at < bytes.length; at += step) walker.push(bytes.subarray(at, at + step))
  walker.finish()
  let before = 0
  for (const part of walker.parts) {
    if (part.start < before || part.end < part.start || part.end > bytes.length)
      throw new Error('a part lies wrong')
    before = part.start
  }
  return JSON.stringify([walker.problem, walker.parts])
}

function decoded(bytes: Buffer, encoding: string, step: number): string {
  const decoder = makeDecoder(encoding)
  let text = ''
  for (let at = 0; at < bytes.length; at += step) {
    text += Buffer.from(decoder.push(bytes.subarray(at, at + step))).toString('latin1')
  }
  return text + Buffer.from(decoder.end()).toString('latin1')
}

export const mimeMessages: FuzzTarget = {
  name: 'mime-messages',
  says: 'MIME messages have the same parts and contents however they are cut, and each part lies within its message',
  make: () => ({
    generate: (random: Random) =>
      String.fromCharCode(random.below(256)) + mutate(random.pick(seeds), random, seeds, bits),
    run(input) {
      const bytes = Buffer.from(input.slice(1), 'latin1')
      const step = 1 + (input.charCodeAt(0) % 30)
      if (walked(bytes, step) !== walked(bytes, bytes.length || 1)) throw new Error('cutting matters')
      for (const encoding of ['base64', 'quoted-printable']) {
        if (decoded(bytes, encoding, step) !== decoded(bytes, encoding, bytes.length || 1)) {
          throw new Error(`${encoding}: cutting matters`)
        }
      }
      return 'same'
    },
  }),
}
