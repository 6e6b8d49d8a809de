/**
 * A daemon in a world that changes between the attempts: lists get and lose members, the configuration becomes another, next hops and
 * mailboxes refuse, hang and drop, messages are frozen, thawed and changed from the shell, and every process may be killed at any
 * moment. In the end all is well again, the queue runs empty, and each message must have gone where some state of the world led it.
 */
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, temporaryFolder } from '../support/server.ts'
import { type Hops, startHops } from './worlds-hops.ts'
import { judgeWorld } from './worlds-judge.ts'
import type { World } from './worlds-model.ts'
import { Play } from './worlds-play.ts'
import type { Submitted } from './worlds-submit.ts'

export interface Options {
  readonly steps: number
  /** Processes are killed. */
  readonly kills: boolean
  /** The configuration is replaced, lists change. */
  readonly changes: boolean
  /** Keeps the folder of a world in which something does not hold. */
  readonly keep?: boolean
}

/** What somebody did to a message from the shell. */
export interface Act {
  readonly id: string
  readonly words: readonly string[]
  readonly at: number
  /** Undefined: it was killed. */
  readonly status: number | null | undefined
  readonly said: string
}

export interface Timed<T> {
  readonly from: number
  readonly what: T
}

/** All that is known at the end of a play. */
export interface Played {
  readonly folder: string
  readonly hops: Hops
  readonly states: readonly Timed<World>[]
  readonly kills: readonly Timed<string>[]
  readonly submitted: ReadonlyMap<string, Submitted>
  readonly acts: readonly Act[]
  readonly faults: readonly string[]
  readonly log: string
  readonly panic: string
}

/** Plays a world; what does not hold of it. */
export async function playWorld(seed: number, options: Options): Promise<readonly string[]> {
  const folder = temporaryFolder(`world-${seed}`)
  chmodSync(folder.path, 0o777)
  const hops = await startHops()
  let wrong: readonly string[] = ['it did not end']
  try {
    const port = await freePort()
    const played = await new Play(seed, options, folder.path, hops, port).run()
    wrong = judgeWorld(played)
    if (wrong.length > 0 && options.keep === true) {
      writeFileSync(join(folder.path, 'wrong'), wrong.join('\n'))
      writeFileSync(
        join(folder.path, 'states'),
        played.states
          .map(({ from, what }) => `${new Date(from).toISOString()} ${JSON.stringify(what)}`)
          .join('\n'),
      )
    }
  } finally {
    await hops.close()
    if (wrong.length === 0 || options.keep !== true) folder.remove()
  }
  return wrong.length > 0 && options.keep === true ? [folder.path, ...wrong] : wrong
}
