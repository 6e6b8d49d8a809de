import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ArcFacts } from '../../../mail/arc-facts.ts'
import { DmarcFacts } from '../../../mail/dmarc-facts.ts'
import { evaluate } from './evaluate.ts'
import { historyBlock } from './history.ts'
import { readHistory } from './read-history.ts'

async function blockOf(record: string, domain: string, arc?: ArcFacts): Promise<string> {
  const evaluation = await evaluate(
    'shop.test',
    {
      spf: { domain, result: 'softfail', identity: 'mfrom' },
      dkim: [
        { domain: 'shop.test', selector: 's1', identity: '', result: 'pass' },
        { domain: 'x y\n', selector: '', identity: '', result: 'neutral' },
      ],
    },
    {
      dns: async (name) => ({
        status: name === '_dmarc.shop.test' ? 'found' : 'nxdomain',
        records: name === '_dmarc.shop.test' ? [{ type: 'TXT', name, ttl: 1, strings: [record] }] : [],
        authenticated: false,
        canonicalName: name,
      }),
      random: () => 0,
    },
  )
  const facts = new DmarcFacts('accept', 'Accept', 'shop.test', evaluation)
  assert.ok(evaluation.policy !== undefined)
  return historyBlock(facts, evaluation.policy, {
    id: '1xXZRW-000000006Eh-3APQ',
    reporter: 'mx.test',
    receivedAt: 1_795_936_526_789,
    clientAddress: '2001:db8::1',
    arc,
  })
}

test('3.4: a block with signatures, addresses and ARC, byte for byte; strangers cannot add lines', async () => {
  const arc = new ArcFacts({
    state: 'pass',
    reason: '',
    instances: 2,
    domains: ['a.test', 'b.test'],
    oldestPass: 1,
    selector: 'arc"1',
  })
  const record = 'v=DMARC1; p=quarantine; sp=none; adkim=s; rua=mailto:a@x.test!10m, mailto:b@x.test'
  assert.equal(
    await blockOf(record, 'out.test\njob evil', arc),
    'job 1xXZRW-000000006Eh-3APQ\nreporter mx.test\nreceived 1795936526\nipaddr 2001:db8::1\nfrom shop.test\n' +
      'mfrom out.test?job?evil\nspf 2\ndkim shop.test s1 0\ndkim x?y? - 3\npdomain shop.test\npolicy 15\n' +
      'rua mailto:a@x.test\nrua mailto:b@x.test\npct 100\nadkim 115\naspf 114\np 113\nsp 110\n' +
      'align_dkim 4\nalign_spf 5\naction 2\narc 0\narc_policy 1 json:[{"i":2,"d":"b.test","s":"arc\\"1"}]\n',
  )
})

test('3.4: what is written is read again', async () => {
  const { entries, broken } = readHistory(await blockOf('v=DMARC1; p=reject', 'out.test'))
  assert.equal(broken, 0)
  assert.deepEqual(entries[0]?.published.p, 'reject')
  assert.deepEqual(entries[0]?.published.rua, [])
  assert.deepEqual(entries[0]?.row.dkim, [
    { domain: 'shop.test', selector: 's1', result: 'pass' },
    { domain: 'x?y?', selector: '-', result: 'neutral' },
  ])
  assert.deepEqual(entries[0]?.row.spf, { domain: 'out.test', result: 'softfail' })
})
