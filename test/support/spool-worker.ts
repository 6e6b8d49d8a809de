/**
 * A process that does at random with a spool what processes do with one: it receives, claims what it finds, marks, gives back and
 * completes. Arguments: folder, seed, for how many milliseconds, `brief` for one that leaves the dead to others.
 * It tells `A id` when a message is acknowledged, `M id mark` when a mark is safe, `D id` before and `C id` after it completes one.
 */
import { writeSync } from 'node:fs'
import { openSpool, type Spool } from '../../src/store/spool/index.ts'
import { createRandom } from '../fuzz/random.ts'
import { spoolEnvelope } from './spool-world.ts'

const [directory = '', seed = '1', forMs = '1000', brief = ''] = process.argv.slice(2)
const { below, pick } = createRandom(Number(seed))
const tell = (line: string): void => void writeSync(1, `${line}\n`)
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const until = Date.now() + Number(forMs)
const open = (isBrief: boolean): Promise<Spool> =>
  openSpool({
    directory,
    now: Date.now,
    log: (line) => void writeSync(2, `${line}\n`),
    segmentBytes: 128 << 10,
    careMs: 40,
    brief: isBrief,
  })
const spool = await open(brief === 'brief')

async function receive(from: Spool): Promise<void> {
  const incoming = from.begin()
  await incoming.write(Buffer.alloc(pick([90_000, 3000, 3000, 100]), 'text\n'))
  const message = await incoming.commit(spoolEnvelope(incoming.id))
  tell(`A ${message.id}`)
  if (below(3) === 0) await work(from, message.id, true)
}

async function work(from: Spool, id: string, own: boolean): Promise<void> {
  const claim = await from.claim(id)
  if (claim === undefined) return
  for (let i = below(3); i > 0; i--) {
    const mark = `${process.pid}.${below(1e9)}@mark.test`
    if (below(3) === 0) claim.log('a line')
    await claim.record({ done: [mark], firstDelivery: false, nextAttemptAt: Date.now() - 1000 + below(3000) })
    tell(`M ${id} ${mark}`)
    if (below(4) === 0) await pause(below(40))
  }
  if (below(own ? 2 : 3) > 0) return claim.release()
  tell(`D ${id}`)
  await claim.complete()
  tell(`C ${id}`)
}

async function session(): Promise<void> {
  await receive(spool)
  while (Date.now() < until) {
    if (below(5) < 2) await receive(spool)
    else {
      const ids = [...spool.list()].slice(0, 40).map(({ id }) => id)
      if (ids.length > 0) await work(spool, pick(ids), false)
    }
    await pause(below(10))
  }
}

await Promise.all([session(), session(), session()])
await spool.close()
