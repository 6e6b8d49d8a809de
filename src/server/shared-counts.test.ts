import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Channel } from './privileged/messages.ts'
import { CountKeeper, sharedCounts } from './shared-counts.ts'

/** Two ends of a channel; what one sends the other hears. */
function channels(): { readonly worker: Channel; readonly parent: Channel; cut(): void } {
  const heard: Record<'worker' | 'parent', ((message: unknown) => void)[]> = { worker: [], parent: [] }
  const ended: (() => void)[] = []
  let open = true
  const end = (here: 'worker' | 'parent', there: 'worker' | 'parent'): Channel => ({
    send(message) {
      if (open) for (const each of heard[there]) each(message)
      return open
    },
    on(event: 'message' | 'disconnect', listener: (message: unknown) => void) {
      if (event === 'message') heard[here].push(listener)
      else ended.push(() => listener(undefined))
    },
  })
  return {
    worker: end('worker', 'parent'),
    parent: end('parent', 'worker'),
    cut() {
      open = false
      for (const each of ended) each()
    },
  }
}

test('shared counts: each worker hears of the connections of all', async () => {
  const keeper = new CountKeeper()
  const [a, b] = [channels(), channels()]
  for (const each of [a, b]) keeper.attach(each.parent)
  const [first, second] = [sharedCounts(a.worker), sharedCounts(b.worker)]
  assert.deepEqual(await first.add('192.0.2.1'), { total: 1, fromHost: 1 })
  assert.deepEqual(await second.add('192.0.2.1'), { total: 2, fromHost: 2 })
  assert.deepEqual(await second.add('192.0.2.2'), { total: 3, fromHost: 1 })
  assert.deepEqual(await second.move('192.0.2.2', '192.0.2.1'), { total: 3, fromHost: 3 })
  first.remove('192.0.2.1')
  assert.deepEqual(await first.add('192.0.2.3'), { total: 3, fromHost: 1 })
})

test('shared counts: a worker that ends takes its connections with it', async () => {
  const keeper = new CountKeeper()
  const [a, b] = [channels(), channels()]
  for (const each of [a, b]) keeper.attach(each.parent)
  const [first, second] = [sharedCounts(a.worker), sharedCounts(b.worker)]
  await first.add('192.0.2.1')
  await first.add('192.0.2.2')
  a.cut()
  assert.deepEqual(await second.add('192.0.2.1'), { total: 1, fromHost: 1 })
  // Without its parent a worker goes by its own.
  assert.deepEqual(await first.add('192.0.2.9'), { total: 3, fromHost: 1 })
})

test('shared counts: a worker cannot take away what others hold, nor say nonsense', async () => {
  const keeper = new CountKeeper()
  const [a, b] = [channels(), channels()]
  for (const each of [a, b]) keeper.attach(each.parent)
  const [first, second] = [sharedCounts(a.worker), sharedCounts(b.worker)]
  await first.add('192.0.2.1')
  second.remove('192.0.2.1')
  b.worker.send({ type: 'count', change: 'add', host: 'x'.repeat(1000) })
  b.worker.send({ type: 'count', change: 'other', host: '192.0.2.1' })
  b.worker.send('nonsense')
  assert.deepEqual(await first.add('192.0.2.1'), { total: 2, fromHost: 2 })
})
