/** Parts, names and contents of MIME messages, and how the walker bears hostile ones. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import PostalMime from 'postal-mime'
import { toBytes } from '../../base/text.ts'
import { makeDecoder } from './decode.ts'
import { readMimeFields } from './fields.ts'
import { MimeWalker } from './walker.ts'

function walk(text: string, step = 65_536): MimeWalker {
  const bytes = toBytes(text)
  const walker = new MimeWalker()
  for (let at = 0; at < bytes.length; at += step) walker.push(bytes.subarray(at, at + step))
  walker.finish()
  return walker
}

function decode(text: string, encoding: string): string {
  const decoder = makeDecoder(encoding)
  return Buffer.concat([decoder.push(toBytes(text)), decoder.end()]).toString('latin1')
}

const names: readonly { says: string; head: string; name: string }[] = [
  { says: 'a plain name', head: 'Content-Type: a/b; name=x.exe', name: 'x.exe' },
  {
    says: 'a quoted name with a semicolon',
    head: 'Content-Disposition: a; filename="a;b.exe"',
    name: 'a;b.exe',
  },
  { says: 'an escaped quote', head: 'Content-Disposition: a; filename="a\\"b.exe"', name: 'a"b.exe' },
  {
    says: 'RFC 2231 section 4: a charset',
    head: "Content-Type: a/b; name*=utf-8'en'a%20%C3%BC.exe",
    name: 'a \xc3\xbc.exe',
  },
  {
    says: 'RFC 2231 section 3: pieces in any order',
    head: 'Content-Type: a/b; name*1="b.exe"; name*0=a',
    name: 'ab.exe',
  },
  {
    says: 'RFC 2231 beside a plain name',
    head: "Content-Type: a/b; name*=utf-8''a.exe; name=a.txt",
    name: 'a.exe',
  },
  {
    says: 'encoded words where they do not belong',
    head: 'Content-Type: a/b; name="=?utf-8?B?w7wu?= =?utf-8?B?ZXhl?="',
    name: '\xc3\xbc.exe',
  },
  {
    says: 'Content-Disposition: before Content-Type:',
    head: 'Content-Disposition: a; filename=x.exe\nContent-Type: a/b; name=x.txt',
    name: 'x.exe',
  },
  { says: 'a folded header', head: 'Content-Type: a/b;\n\tname\n =\n "x.exe"', name: 'x.exe' },
  { says: 'white space before the colon', head: 'Content-Type : a/b; name=x.exe', name: 'x.exe' },
  { says: 'a quote that does not end', head: 'Content-Type: a/b; name="x.exe', name: 'x.exe' },
  { says: 'control characters', head: 'Content-Type: a/b; name="x\x01\t.exe"', name: 'x.exe' },
]
for (const { says, head, name } of names) {
  test(`the name of an attachment: ${says}`, () => {
    assert.equal(walk(`${head}\n\nx`).parts[0]?.fields.filename, name)
  })
}

const types = (text: string): string[] => walk(text).parts.map(({ fields }) => fields.type)
const structures: readonly { says: string; text: string; types: readonly string[] }[] = [
  {
    says: 'RFC 2046 section 5.1.2: the boundary of an outer multipart ends an inner one',
    text: 'Content-Type: multipart/mixed; boundary=A\n\n--A\nContent-Type: multipart/mixed; boundary=B\n\n--B\nContent-Type: a/b\n\nx\n--A\nContent-Type: c/d\n\ny\n',
    types: ['multipart/mixed', 'multipart/mixed', 'a/b', 'c/d'],
  },
  {
    says: 'of boundaries that begin alike the longest counts',
    text: 'Content-Type: multipart/mixed; boundary=A\n\n--A\nContent-Type: multipart/mixed; boundary=AB\n\n--AB\nContent-Type: a/b\n\nx\n--AB--\n--A\nContent-Type: c/d\n\ny\n--A--\n',
    types: ['multipart/mixed', 'multipart/mixed', 'a/b', 'c/d'],
  },
  {
    says: 'a boundary within headers ends them',
    text: 'Content-Type: multipart/mixed; boundary=A\n\n--A\nX: y\n--A\nContent-Type: c/d\n\ny\n--A--\n',
    types: ['multipart/mixed', '', 'c/d'],
  },
  {
    says: 'of two Content-Type: headers both boundaries count',
    text: 'Content-Type: multipart/mixed; boundary=A\nContent-Type: multipart/mixed; boundary=B\n\n--A\nContent-Type: a/b\n\nx\n--B\nContent-Type: c/d\n\ny\n',
    types: ['multipart/mixed', 'a/b', 'c/d'],
  },
  {
    says: 'what is no multipart has no parts',
    text: 'Content-Type: text/plain; boundary=A\n\n--A\n\nx\n',
    types: ['text/plain'],
  },
  {
    says: 'after the last boundary nothing is a part',
    text: 'Content-Type: multipart/mixed; boundary=A\n\n--A--\n--A\n\nx\n',
    types: ['multipart/mixed'],
  },
]
for (const { says, text, types: expected } of structures) {
  test(says, () => {
    assert.deepEqual(types(text), expected)
    for (const step of [1, 2, 7]) assert.deepEqual(walk(text, step).parts, walk(text).parts)
  })
}

test('attachments are those that postal-mime finds, with the same names and contents', async () => {
  const name = (i: number): string => ['a b.txt', 'x.exe', 'y.tar.gz'][i % 3] ?? ''
  for (let i = 0; i < 60; i++) {
    const content = Array.from({ length: i * 37 }, (_, k) => String.fromCharCode((k * 7 + i) % 256)).join('')
    const encoded = Buffer.from(content, 'latin1').toString('base64').replace(/.{76}/g, '$&\n')
    const part = `Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename="${name(i)}"\n\n${encoded}\n`
    const inner = `Content-Type: multipart/mixed; boundary="in${i}"\n\n--in${i}\n${part}--in${i}--\n`
    const text = `From: a@b.test\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=out\n\n--out\nContent-Type: text/plain\n\nhello\n--out\n${i % 2 === 0 ? inner : part}--out--\n`
    const theirs = (await PostalMime.parse(text)).attachments.map((each) => [
      each.filename,
      typeof each.content === 'string'
        ? each.content
        : Buffer.from(each.content as ArrayBuffer).toString('latin1'),
    ])
    const ours = walk(text)
      .parts.filter(({ fields }) => fields.disposition === 'attachment')
      .map(({ fields, start, end }) => [fields.filename, decode(text.slice(start, end), fields.encoding)])
    assert.deepEqual(ours, theirs)
  }
})

const contents: readonly {
  says: string
  encoding: string
  text: string
  result: string
  anomaly?: string
}[] = [
  { says: 'base64', encoding: 'base64', text: 'aGVs\nbG8=\n', result: 'hello' },
  { says: 'base64 without padding', encoding: 'base64', text: 'aGVsbG8', result: 'hello' },
  {
    says: 'base64 that goes on after its padding',
    encoding: 'base64',
    text: 'aGVsbA==aGVsbA==',
    result: 'hellhell',
  },
  {
    says: 'base64 with garbage',
    encoding: 'base64',
    text: 'aGV!sbG8=',
    result: 'hello',
    anomaly: 'Broken BASE64 encoding detected',
  },
  { says: 'base64 in quotes', encoding: '"base64"', text: 'aGVsbG8=', result: 'hello' },
  { says: 'quoted-printable', encoding: 'quoted-printable', text: 'a=20b=\nc=3D=  \nd', result: 'a bc=d' },
  {
    says: 'broken quoted-printable',
    encoding: 'quoted-printable',
    text: 'a=zz',
    result: 'a=zz',
    anomaly: 'Broken Quoted-Printable encoding detected',
  },
  { says: 'no encoding', encoding: '8bit', text: 'a=20', result: 'a=20' },
]
for (const { says, encoding, text, result, anomaly } of contents) {
  test(`decoding: ${says}`, () => {
    const decoder = makeDecoder(encoding)
    const bytes = Buffer.concat([decoder.push(toBytes(text)), decoder.end()])
    assert.equal(bytes.toString('latin1'), result)
    assert.equal(decoder.anomaly?.text, anomaly)
  })
}

const hostile: readonly { says: string; text: string; problem?: string }[] = [
  {
    says: '100,000 parts',
    text: `Content-Type: multipart/x; boundary=A\n\n${'--A\n\n'.repeat(100_000)}`,
    problem: 'too many MIME parts',
  },
  {
    says: '10,000 levels',
    text: Array.from(
      { length: 10_000 },
      (_, i) => `--B${i}\nContent-Type: multipart/x; boundary=B${i + 1}\n\n`,
    )
      .join('')
      .replace('--B0\n', ''),
    problem: 'MIME parts nested too deep',
  },
  {
    says: 'a header of 5 MB',
    text: `Content-Type: a/b; x=${'y'.repeat(5_000_000)}\n\n`,
    problem: 'MIME header too long',
  },
  { says: 'another header of 5 MB', text: `Subject: ${'y'.repeat(5_000_000)}\n\n` },
  { says: '30,000 parameters', text: `Content-Type: a/b${';a=b'.repeat(16_000)}\n\n` },
  { says: 'a header of equals signs', text: `Content-Type: a/b;${'='.repeat(60_000)}\n\n` },
  { says: 'a header of encoded words', text: `Content-Type: a/b; name="${'=?x?Q?'.repeat(10_000)}"\n\n` },
  { says: 'a header of apostrophes', text: `Content-Type: a/b; name*=${"'".repeat(60_000)}\n\n` },
  {
    says: '90 open multiparts and lines that almost match',
    text: `${Array.from({ length: 90 }, (_, i) => `${i === 0 ? '' : `--${'b'.repeat(900)}${i - 1}.\n`}Content-Type: multipart/x; boundary=${'b'.repeat(900)}${i}.\n\n`).join('')}${`--${'b'.repeat(900)}\n`.repeat(5000)}`,
  },
  {
    says: '90 open multiparts and a million hyphens',
    text: `${Array.from({ length: 90 }, (_, i) => `${i === 0 ? '' : `--${i - 1}b\n`}Content-Type: multipart/x; boundary=${i}b\n\n`).join('')}${'--\n'.repeat(330_000)}`,
  },
]
for (const { says, text, problem } of hostile) {
  test(`P7, P12: ${says} take a short time a piece`, () => {
    const bytes = toBytes(text)
    const walker = new MimeWalker()
    let longest = 0
    for (let at = 0; at < bytes.length; at += 4096) {
      const began = process.cpuUsage()
      walker.push(bytes.subarray(at, at + 4096))
      const { user, system } = process.cpuUsage(began)
      longest = Math.max(longest, (user + system) / 1000)
    }
    walker.finish()
    assert.equal(walker.problem, problem)
    // The promise, in time of our own: other tests share the processor. A collection of garbage may fall into it.
    assert.ok(longest < 50, `${longest} ms`)
  })
}

test('a header may be spread over many parameters of one name: the last counts, as in Exim', () => {
  assert.equal(readMimeFields([['content-type', 'a/b; charset=x; charset=y']]).charset, 'y')
})
