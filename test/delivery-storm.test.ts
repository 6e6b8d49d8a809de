/** A sink that refuses, stalls and drops at random: every message arrives, twice only where the last answer was lost. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deliveryWorld } from './support/delivery-world.ts'
import { startSink } from './support/smtp-sink.ts'

/** The same numbers at each run. */
function numbers(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return (state >> 8) % limit
  }
}

void test('300 messages through a storm: none lost, doubled only where RFC 1047 says it must be', async () => {
  const random = numbers(20_261_124)
  const lostAnswers = new Set<string>()
  const sink = await startSink({
    extensions: ['PIPELINING', 'CHUNKING'],
    mail: () => ['250 ok', '451 later', 'drop'][Math.max(0, random(12) - 9)] ?? '250 ok',
    rcpt: () => ['250 ok', '450 later', 'drop'][Math.max(0, random(12) - 9)] ?? '250 ok',
    end: (message) => {
      const what = random(10)
      if (what === 0) return '452 full'
      if (what > 1) return '250 taken'
      for (const rcpt of message.rcpts) lostAnswers.add(rcpt)
      sink.messages.push(message)
      return 'drop'
    },
  })
  const world = deliveryWorld(`
primary_hostname = mta.example
delay_warning = 0s
begin routers
r:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = t
begin transports
t:
  driver = smtp
  port = ${sink.port}
  max_rcpt = 2
  command_timeout = 2s
begin retry
* * F,30d,1s
`)
  try {
    const claims = Array.from({ length: 100 }, (_, i) =>
      world.claim([`a${i}@x.test`, `b${i}@x.test`, `c${i}@x.test`]),
    )
    const waiting = new Set(claims)
    for (let round = 0; round < 200 && waiting.size > 0; round++) {
      await Promise.all(
        [...waiting].map(async (claim) => {
          const summary = await world.deliver(claim, { force: true })
          if (summary.is === 'completed') waiting.delete(claim)
        }),
      )
    }
    assert.equal(waiting.size, 0)
    const arrived = new Map<string, number>()
    for (const rcpt of sink.messages.flatMap((message) => message.rcpts)) {
      arrived.set(rcpt, (arrived.get(rcpt) ?? 0) + 1)
    }
    assert.equal(arrived.size, 300)
    for (const [rcpt, times] of arrived) {
      if (times > 1) assert.ok(lostAnswers.has(rcpt), `${rcpt} arrived ${times} times`)
    }
    assert.equal(world.submitted.length, 0)
  } finally {
    world.close()
    await sink.close()
  }
})
