/**
 * A process that works on a spool and dies at a named point. Arguments: folder, steps, crash point, step at which the
 * point counts. What was acknowledged is told on standard output, one line each, before the next step.
 */
import { writeSync } from 'node:fs'
import { type Claim, openSpool, type SpooledMessage } from '../../src/store/spool/index.ts'
import { spoolEnvelope } from './spool-world.ts'

export type Step =
  | 'receive'
  | 'receive-large'
  | 'claim'
  | 'mark'
  | 'release'
  | 'complete'
  | 'settle'
  | 'stay'
  | 'close'

export const bodies = {
  receive: Buffer.from('hello\n'),
  'receive-large': Buffer.alloc(200_000, 'a line of text\n'),
}

const [directory, stepList = '', point = '', pointStep = ''] = process.argv.slice(2)
if (process.argv[1]?.endsWith('spool-child.js') === true && directory !== undefined) {
  await work(directory, stepList.split(',') as Step[])
}

async function work(folder: string, steps: readonly Step[]): Promise<void> {
  let current = 'open'
  const spool = await openSpool({
    directory: folder,
    now: Date.now,
    log: (line) => tell(`log ${line}`),
    segmentBytes: 1 << 20,
    crashPoint(name) {
      if (name === point && (pointStep === '' || pointStep === current)) process.kill(process.pid, 'SIGKILL')
    },
  })
  let message: SpooledMessage | undefined
  let claim: Claim | undefined
  for (const step of steps) {
    current = step
    if (step === 'receive' || step === 'receive-large') {
      const incoming = spool.begin()
      tell(`begun ${incoming.id}`)
      for (let at = 0; at < bodies[step].length; at += 50_000) {
        await incoming.write(bodies[step].subarray(at, at + 50_000))
      }
      message = await incoming.commit(spoolEnvelope(incoming.id))
    } else if (step === 'claim' && message !== undefined) claim = spool.claimCommitted(message)
    else if (step === 'mark') await claim?.record({ done: ['bob@example.net'], firstDelivery: false })
    else if (step === 'release') claim?.release()
    else if (step === 'complete') await claim?.complete()
    else if (step === 'settle') await new Promise((resolve) => setTimeout(resolve, 80))
    else if (step === 'close') await spool.close()
    else if (step === 'stay') setInterval(() => {}, 1000)
    tell(`did ${step}`)
  }
}

function tell(line: string): void {
  writeSync(1, `${line}\n`)
}
