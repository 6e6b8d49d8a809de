import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LateMap } from './late-map.ts'

test('an empty late map looks like an empty map', () => {
  const map = new LateMap<string, number>()
  assert.equal(map.size, 0)
  assert.equal(map.has('a'), false)
  assert.equal(map.get('a'), undefined)
  assert.equal(map.delete('a'), false)
  assert.deepEqual([...map], [])
  assert.deepEqual([[...map.keys()], [...map.values()], [...map.entries()]], [[], [], []])
})

test('a late map keeps what is set, in order, and forgets it', () => {
  const map = new LateMap<string, number>().set('b', 1).set('a', 2)
  const seen: [string, number][] = []
  map.forEach((value, key) => seen.push([key, value]))
  assert.deepEqual(seen, [
    ['b', 1],
    ['a', 2],
  ])
  assert.deepEqual([...new Map(map)], seen)
  assert.equal(map.delete('b'), true)
  assert.equal(map.size, 1)
  map.clear()
  assert.deepEqual([map.size, map.get('a')], [0, undefined])
})
