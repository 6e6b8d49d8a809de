import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AcceptSituation, decideAccept } from './accept-limits.ts'

const calm: AcceptSituation = {
  connections: 0,
  fromThisHost: 0,
  smtpAcceptMax: 20,
  smtpAcceptReserve: 0,
  smtpAcceptMaxPerHost: 0,
  smtpAcceptQueue: 0,
  smtpLoadReserve: undefined,
  hasReserveHosts: false,
  load: 0.5,
}
const tooMany = '421 Too many concurrent SMTP connections; please try again later.'
const cases: readonly {
  says: string
  situation: Partial<AcceptSituation>
  is: string
  why?: string
  reply?: string
}[] = [
  { says: 'an empty server welcomes', situation: {}, is: 'welcome' },
  {
    says: 'the last place is taken',
    situation: { connections: 20 },
    is: 'refused',
    why: 'too many connections',
    reply: tooMany,
  },
  { says: '0 is no limit', situation: { connections: 9999, smtpAcceptMax: 0 }, is: 'welcome' },
  {
    says: 'one host has too many',
    situation: { fromThisHost: 3, smtpAcceptMaxPerHost: 3 },
    is: 'refused',
    why: 'too many connections from that IP address',
  },
  {
    says: 'reserved places',
    situation: { connections: 15, smtpAcceptReserve: 5 },
    is: 'reserved',
    why: 'not in reserve list: connected=15 max=20 reserve=5',
    reply: 'Too many concurrent SMTP connections; please try again later',
  },
  {
    says: 'a high load leaves only reserved hosts',
    situation: { smtpLoadReserve: 1, load: 2, hasReserveHosts: true },
    is: 'reserved',
    why: 'not in reserve list and load average = 2.00',
    reply: 'Too much load; please try again later',
  },
  {
    says: 'a high load without reserved hosts',
    situation: { smtpLoadReserve: 1, load: 2 },
    is: 'refused',
    why: 'load average = 2.00',
    reply: '421 Too much load; please try again later.',
  },
]
for (const { says, situation, is, why, reply } of cases) {
  test(`connections: ${says}`, () => {
    const verdict = decideAccept({ ...calm, ...situation })
    assert.equal(verdict.is, is)
    if (why !== undefined) assert.equal('why' in verdict ? verdict.why : undefined, why)
    if (reply !== undefined) assert.equal('reply' in verdict ? verdict.reply : undefined, reply)
  })
}

test('connections: beyond smtp_accept_queue messages wait for a queue run', () => {
  const verdict = decideAccept({ ...calm, connections: 5, smtpAcceptQueue: 5 })
  assert.ok(verdict.is === 'welcome' && verdict.queueWhy !== undefined)
})
