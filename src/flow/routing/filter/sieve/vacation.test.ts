import assert from 'node:assert/strict'
import { test } from 'node:test'
import { quotedPrintable } from './vacation.ts'

const cases: readonly { says: string; text: string; encoded?: string }[] = [
  { says: 'plain text stays', text: 'I am away.\n', encoded: 'I am away.\n' },
  { says: 'bytes beyond ASCII and the equals sign', text: 'J\xc3\xbc = x', encoded: 'J=C3=BC =3D x' },
  { says: 'a blank at the end of a line', text: 'a \nb\t', encoded: 'a=20\nb=09' },
  { says: 'long lines are folded', text: 'x'.repeat(300) },
  { says: 'no code is torn apart', text: '\xfc'.repeat(200) },
]
for (const { says, text, encoded } of cases) {
  test(`quoted-printable: ${says}`, () => {
    const result = quotedPrintable(text)
    if (encoded !== undefined) assert.equal(result, encoded)
    assert.ok(result.split('\n').every((line) => line.length <= 76))
    const decoded = result
      .replaceAll('=\n', '')
      .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    assert.equal(decoded, text)
  })
}
