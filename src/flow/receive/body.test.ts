import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { IncomingMessage, Spool } from '../../store/spool/api.ts'
import { MessageReceiver } from './body.ts'

/** A spool that takes nothing: what these tests look at comes before the body. */
function receiverOf(messageBytes: number): MessageReceiver {
  const spool = { begin: () => ({ id: 'x' }) as IncomingMessage } as Pick<Spool, 'begin'> as Spool
  return new MessageReceiver(spool, { headerBytes: 0, headerLineBytes: 0, messageBytes })
}

test('message_size_limit counts headers when there is no body', async () => {
  const header = Buffer.from('Subject: a message without a body\n\n')
  for (const [limit, problem] of [
    [20, { is: 'too-big' }],
    [header.length, undefined],
  ] as const) {
    const receiver = receiverOf(limit)
    await receiver.add({ lead: '', bytes: header, bare: [], done: true, rest: Buffer.alloc(0) })
    await receiver.finish('')
    assert.deepEqual(receiver.problem, problem)
  }
})
