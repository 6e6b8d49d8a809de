/** Failure reports over time: their rate, their sender, and what aggregate reports count. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Expandable } from '../base/expandable.ts'
import { newMessage } from '../flow/receive/message-facts.ts'
import { newConnection } from '../flow/receive/services.ts'
import type { GeneratedMessage } from '../flow/delivery/index.ts'
import { DmarcFacts, keepDmarc } from '../mail/dmarc-facts.ts'
import { makeHeader } from '../mail/header.ts'
import { evaluate } from '../policy/msgauth/dmarc/evaluate.ts'
import { storedRows } from '../policy/msgauth/dmarc/aggregate-store.ts'
import type { Context, DnsAnswer } from '../ports.ts'
import { createMemoryHints } from '../store/hints/memory.ts'
import { policyBench } from '../../test/support/policy-world.ts'
import { createDmarcService } from './dmarc-service.ts'

const HOUR = 3_600_000

function dnsOf(record: string) {
  return async (name: string): Promise<DnsAnswer> => {
    const found = name === '_dmarc.shop.test'
    return {
      status: found ? 'found' : 'nxdomain',
      records: found ? [{ type: 'TXT', name, ttl: 1, strings: [record] }] : [],
      authenticated: false,
      canonicalName: name,
    }
  }
}

interface World {
  now: number
  readonly sent: GeneratedMessage[]
  /** One failing message. */
  fail(fate?: 'accepted' | 'refused'): Promise<void>
  readonly rows: () => readonly { readonly count: number; readonly row: object }[]
}

async function world(record: string, settings: Readonly<Record<string, unknown>>): Promise<World> {
  const dns = dnsOf(record)
  const hints = createMemoryHints()
  const sent: GeneratedMessage[] = []
  const service = createDmarcService(async (message) => {
    sent.push(message)
    return { is: 'accepted', id: 'x' }
  })
  const bench = policyBench({ acls: '' })
  const base: Context = bench.context
  const self: World = {
    now: 1_795_936_526_000,
    sent,
    async fail(fate = 'refused') {
      const message = newMessage({
        receivedAt: self.now,
        local: false,
        originator: { login: '', uid: 0, gid: 0 },
      })
      message.id = 'id'
      message.sender = 'a@evil.test'
      message.headers = [makeHeader('From: a@shop.test\n')]
      message.controls.dmarcEnableForensic = true
      const evaluation = await evaluate(
        'shop.test',
        { spf: { domain: 'evil.test', result: 'pass', identity: 'mfrom' }, dkim: [] },
        { dns, random: () => 0 },
      )
      keepDmarc(message, new DmarcFacts('reject', 'Reject', 'shop.test', evaluation))
      const connection = newConnection({
        kind: 'smtp',
        hostAddress: '192.0.2.1',
        activeHostname: 'mx',
        connectionId: '',
        startedAt: 0,
      })
      const ports = { ...base.ports, dns, hints, now: () => self.now }
      const before = sent.length
      service.settled(
        { ...base, settings: { ...base.settings, ...settings }, message, connection, ports },
        fate,
      )
      // The work goes on in the background.
      for (let i = 0; i < 50 && sent.length === before; i++)
        await new Promise((resolve) => setImmediate(resolve))
    },
    rows: () => [...storedRows(hints)].map(({ stored }) => stored),
  }
  return self
}

const record = 'v=DMARC1; p=reject; t=y; ruf=mailto:r@shop.test; rua=mailto:a@shop.test'

test('D19: a rate of failure reports, and the next one says for how many it stands', async () => {
  const it = await world(record, { dmarc_forensic_rate: 2, dmarc_forensic_policy: 'any' })
  for (let i = 0; i < 5; i++) await it.fail()
  assert.equal(it.sent.length, 2)
  it.now += HOUR
  await it.fail()
  assert.equal(it.sent.length, 3)
  assert.match(it.sent[2]?.text ?? '', /^Incidents: 4$/m)
})

test('D4: the sender is dmarc_forensic_sender, else dsn_from or do-not-reply with an empty envelope sender', async () => {
  const own = await world(record, { dmarc_forensic_sender: new Expandable('Reports <r@mx.test>') })
  await own.fail()
  assert.equal(own.sent[0]?.sender, 'r@mx.test')
  assert.match(own.sent[0]?.text ?? '', /^From: Reports <r@mx\.test>$/m)
  const other = await world(record, {})
  await other.fail()
  assert.equal(other.sent[0]?.sender, '')
  assert.match(other.sent[0]?.text ?? '', /^From: do-not-reply@\S+$/m)
})

test('Y1: aggregate reports count with the reason when t=y makes the policy milder', async () => {
  const it = await world(record, { dmarc_aggregate_reports: true })
  await it.fail('accepted')
  await it.fail('accepted')
  await it.fail('refused')
  const rows = it.rows().map(({ count, row }) => ({ count, row }))
  assert.equal(rows.length, 2)
  const shown = rows.map(({ count, row }) => JSON.stringify([count, row]))
  assert.ok(
    shown.some(
      (text) =>
        text.startsWith('[2,') &&
        text.includes('"disposition":"quarantine"') &&
        text.includes('policy_test_mode'),
    ),
  )
  assert.ok(shown.some((text) => text.startsWith('[1,') && text.includes('"disposition":"reject"')))
})

test('nothing is collected for a domain that wants no aggregate reports', async () => {
  const it = await world('v=DMARC1; p=reject', { dmarc_aggregate_reports: true })
  await it.fail()
  assert.deepEqual(it.rows(), [])
})
