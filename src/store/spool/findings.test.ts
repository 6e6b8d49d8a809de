import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Findings, type Found, note } from './findings.ts'
import type { RecordView } from './record.ts'

const texts = {
  message: ['{}'],
  mark: ['{"firstDelivery":false}', '{"done":["a@b.example"]}'],
  update: ['{"firstDelivery":false}'],
  tombstone: ['{"segments":[]}', '{"segments":["s1"]}', '{"segments":["s2","s3"]}'],
} as const
const types = ['message', 'mark', 'update', 'tombstone'] as const

const noted = fc.record({
  segment: fc.constantFrom('s1', 's2', 's3'),
  id: fc.constantFrom('a', 'b', 'c'),
  kind: fc
    .constantFrom(...types)
    .chain((type) => fc.record({ type: fc.constant(type), json: fc.constantFrom(...texts[type]) })),
  sequence: fc.integer({ min: 1, max: 9 }),
  offset: fc.oneof(fc.integer({ min: 32, max: 40_000_000 }), fc.constant(0xffff_ffff)),
})

test('rows of numbers say what objects say', () => {
  fc.assert(
    fc.property(fc.array(noted, { maxLength: 14 }), (records) => {
      const objects = new Map<string, Found>()
      const rows = new Findings()
      for (const { segment, id, kind, sequence, offset } of records) {
        const json = Buffer.from(kind.json)
        const view: RecordView = { type: kind.type, id, sequence, offset, length: 100, json, body: json }
        note(objects, segment, view)
        rows.note(segment, view)
      }
      const living = [...objects].filter(([, { tombstone }]) => tombstone === undefined)
      assert.deepEqual(rows.living(), living.map(([id]) => id).sort())
      for (const [id, found] of living) assert.deepEqual(rows.get(id), found)
      const complete = [...objects].flatMap(([id, { tombstone }]) =>
        tombstone === undefined ? [] : [{ id, ...tombstone }],
      )
      const byId = (a: { readonly id: string }, b: { readonly id: string }): number => (a.id < b.id ? -1 : 1)
      assert.deepEqual([...rows.complete()].sort(byId), complete.sort(byId))
    }),
    { numRuns: 2000 },
  )
})
