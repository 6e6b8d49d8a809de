import assert from 'node:assert/strict'
import { test } from 'node:test'
import { base62, createMessageIds, isMessageId, messageIdSeconds } from './message-id.ts'

const forms = [
  {
    says: 'short form',
    options: { form: 'short', pid: 1234, now: () => 1_700_000_000_000.5 },
    id: '1r31eq-0000Ju-01',
  },
  {
    says: 'short form with a host number',
    options: { form: 'short', pid: 1234, now: () => 1_700_000_000_005, localhostNumber: 16 },
    id: '1r31eq-0000Ju-pd',
  },
] as const
for (const c of forms) {
  test(`a message id in ${c.says}`, () => assert.equal(createMessageIds(c.options)(), c.id))
}

test('the long form has 23 characters and tells its second', () => {
  const id = createMessageIds({ form: 'long', pid: 4_194_303, now: () => 1_700_000_000_123.4 })()
  assert.equal(id.length, 23)
  assert.ok(isMessageId(id))
  assert.equal(messageIdSeconds(id), 1_700_000_000)
  assert.ok(id.endsWith(base62(123_400, 4)))
})

for (const form of ['long', 'short'] as const) {
  test(`ids of one ${form} source differ though the clock stands still or steps back`, () => {
    let time = 1_700_000_000_000
    const next = createMessageIds({ form, pid: 77, now: () => (time -= 0.01), localhostNumber: 3 })
    const seen = new Set<string>()
    for (let i = 0; i < 50_000; i++) seen.add(next())
    assert.equal(seen.size, 50_000)
    for (const id of seen) assert.ok(isMessageId(id), id)
  })
}

const notIds = ['', '1r31eq-0000Ju-0', '1r31eq-0000Ju-01-D', '../../etc/passwd', '1r31eq-0000Ju_01']
for (const text of notIds) test(`"${text}" is no message id`, () => assert.equal(isMessageId(text), false))
