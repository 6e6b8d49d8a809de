/** What the runner tells a worker, and what it hears of it. */
import { join } from 'node:path'

export interface FuzzOrder {
  readonly target: string
  readonly seed: number
  readonly seconds: number
  /** In processor time; see `heldTooLongMs`. */
  readonly limitMs: number
  /** Inputs to try in place of made ones, after a warm-up. */
  readonly only?: readonly string[]
  /** A counter, a length, and the input at work. */
  readonly shared: SharedArrayBuffer
}

export interface FuzzEnd {
  readonly runs: number
  readonly input?: string
  readonly problem?: string
  /** Inputs that held the event loop longest, above the limit. */
  readonly suspects: readonly Suspect[]
}

export interface Suspect {
  readonly input: string
  readonly heldMs: number
}

/** SECURITY: no input holds the event loop for longer. */
export const heldTooLongMs = 50

/** Inputs that once did harm are tried first: rows `{ says, input }`. */
export function foundFile(target: string): string {
  return join('test', 'fuzz', 'found', `${target}.json`)
}
