/** What random graphs of redirections have shown, and some more of them: `node dist/test/survival/graphs-run.js` goes on. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Graph, judge, randomGraph } from './graphs.ts'

const plain: Omit<Graph, 'aliases' | 'recipients'> = {
  waits: {},
  fails: [],
  deaths: [],
  smtp: '',
  batch: 1,
  hosts: '127.0.0.1',
}

const found: readonly (Pick<Graph, 'aliases' | 'recipients'> & Partial<Graph> & { readonly says: string })[] =
  [
    {
      says: 'what failed in an attempt before does not keep the message for ever when another recipient leads to it later',
      aliases: {
        'one@a.test': ['gone@a.test'],
        'two@a.test': ['gone@a.test'],
        'gone@a.test': [':fail: gone'],
      },
      recipients: ['one@a.test', 'two@a.test'],
      waits: { 'two@a.test': 1 },
    },
  ]
for (const { says, ...graph } of found)
  test(says, async () => {
    const wrong = await judge({ ...plain, ...graph })
    assert.deepEqual(wrong, [], wrong.join('\n'))
  })

test('random graphs of redirections: nothing is lost, nothing comes twice, nothing stays', async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const wrong = await judge(randomGraph(seed))
    assert.deepEqual(wrong, [], `seed ${seed}: ${JSON.stringify(randomGraph(seed))}\n${wrong.join('\n')}`)
  }
})
