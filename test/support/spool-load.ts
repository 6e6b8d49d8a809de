/**
 * A process that receives, delivers and leaves messages until it is killed. It tells on standard output `A id` when a
 * message is acknowledged and `D id` just before it is completed.
 */
import { writeSync } from 'node:fs'
import { openSpool } from '../../src/store/spool/index.ts'
import { spoolEnvelope } from './spool-world.ts'

const [directory = ''] = process.argv.slice(2)
const spool = await openSpool({
  directory,
  now: Date.now,
  log: (line) => void writeSync(2, `${line}\n`),
  segmentBytes: 512 << 10,
  careMs: 100,
})
const bodies = [
  Buffer.alloc(90_000, 'large\n'),
  ...Array.from({ length: 9 }, () => Buffer.alloc(3000, 'small\n')),
]
const tell = (line: string): void => void writeSync(1, `${line}\n`)
const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))

async function session(number: number): Promise<void> {
  for (let n = number; ; n++) {
    const incoming = spool.begin()
    await incoming.write(bodies[n % bodies.length] ?? Buffer.alloc(0))
    const message = await incoming.commit(spoolEnvelope(incoming.id))
    tell(`A ${message.id}`)
    const claim = n % 3 === 0 ? undefined : (spool.claimCommitted(message) ?? (await spool.claim(message.id)))
    if (claim === undefined) continue
    // Some are slow, so that the index learns of them and others may take them over.
    if (n % 5 === 0) await pause(60)
    await claim.record({ done: ['bob@example.net'] })
    if (n % 7 === 0) {
      claim.release()
      continue
    }
    tell(`D ${message.id}`)
    await claim.complete()
    await pause(n % 10)
  }
}

for (let number = 0; number < 6; number++) void session(number)
