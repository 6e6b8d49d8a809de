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
    {
      says: 'a recipient that became others is no delivery to its address that another recipient leads to',
      aliases: { 'one@norepeat.test': ['four@norepeat.test'], 'three@norepeat.test': ['one@norepeat.test'] },
      recipients: ['three@norepeat.test', 'one@norepeat.test'],
      waits: { 'three@norepeat.test': 1 },
    },
    {
      says: 'what was delivered to an address does not stand for the recipient of that name whose children wait',
      aliases: { 'two@check.test': ['five@b.test'], 'one@skip.test': ['two@check.test'] },
      recipients: ['one@skip.test', 'two@check.test'],
      waits: { 'five@b.test': 1 },
    },
    {
      says: 'a list that fails at its end is not done while what stands before waits',
      aliases: { 'one@a.test': ['two@s.test', ':fail: gone'] },
      recipients: ['one@a.test', 'three@s.test'],
      waits: { 'two@s.test': 2 },
    },
    {
      says: 'an address that fails at its end and leads to itself',
      aliases: { 'two@a.test': ['three@a.test'], 'three@a.test': ['two@a.test', ':fail: gone'] },
      recipients: ['three@a.test'],
      waits: { 'two@a.test': 1 },
    },
    {
      says: 'a failure of the address where another recipient leads is not one of the recipient',
      aliases: { 'five@norepeat.test': ['four@norepeat.test'], 'four@norepeat.test': ['/FOLDER/file1'] },
      recipients: ['four@norepeat.test', 'five@norepeat.test'],
      waits: { 'four@norepeat.test': 2 },
      fails: ['four@norepeat.test'],
    },
    {
      says: 'an address that leads to itself is not delivered once more when another recipient leads to it later',
      aliases: { 'two@a.test': ['two@a.test', 'three@a.test'], 'three@a.test': ['two@a.test'] },
      recipients: ['three@a.test', 'two@a.test'],
      waits: { 'three@a.test': 1 },
    },
    {
      says: 'a recipient that is discarded is no delivery to its address',
      aliases: { 'two@check.test': [':blackhole:'], 'one@skip.test': ['two@check.test'] },
      recipients: ['one@skip.test', 'two@check.test'],
      waits: { 'one@skip.test': 1 },
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
