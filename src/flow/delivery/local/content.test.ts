import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LineEscaper } from './content.ts'

const cases = [
  { says: 'a line that begins so is escaped', text: 'From x\nFrom y\n', out: '>From x\n>From y\n' },
  { says: 'within a line it is not', text: 'a From x\nb', out: 'a From x\nb' },
  { says: 'a beginning that goes on otherwise stays', text: 'Fro\nFromage\nF', out: 'Fro\nFromage\nF' },
  { says: 'an empty line before it', text: '\nFrom x', out: '\n>From x' },
  { says: 'nothing stays nothing', text: '', out: '' },
]
for (const c of cases) {
  void test(`escape: ${c.says}, however it is cut into pieces`, () => {
    for (let size = 1; size <= c.text.length + 1; size++) {
      const escaper = new LineEscaper('From ', '>From ')
      let out = ''
      for (let at = 0; at < c.text.length; at += size) {
        out += Buffer.from(escaper.push(Buffer.from(c.text.slice(at, at + size)))).toString()
      }
      out += Buffer.from(escaper.finish()).toString()
      assert.equal(out, c.out, `pieces of ${size}`)
    }
  })
}
