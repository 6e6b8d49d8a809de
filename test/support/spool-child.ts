/**
 * A process that works on a spool and dies at a named point. Arguments: folder, steps, crash point, step at which the
 * point counts. What was acknowledged is told on standard output, one line each, before the next step.
 */
import { closeSync, readdirSync, readlinkSync, writeSync } from 'node:fs'
import { type Claim, openSpool, SpoolError, type SpooledMessage } from '../../src/store/spool/index.ts'
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
      if (point === 'break-sync' && name === 'record-written' && pointStep === current) breakSync(folder)
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
      try {
        message = await incoming.commit(spoolEnvelope(incoming.id))
      } catch (error) {
        tell(`refused ${error instanceof SpoolError ? error.code : String(error)}`)
        continue
      }
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

/** Closes the descriptor of the segment under the writer: the sync that follows must fail. */
function breakSync(folder: string): void {
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      if (readlinkSync(`/proc/self/fd/${fd}`).startsWith(`${folder}/segments/`)) closeSync(Number(fd))
    } catch {
      // The descriptor with which the folder is read is gone by now.
    }
  }
}

function tell(line: string): void {
  writeSync(1, `${line}\n`)
}
