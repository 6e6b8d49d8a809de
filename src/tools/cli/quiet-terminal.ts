import { Readable } from 'node:stream'
import type { Terminal } from './terminal.ts'

/** For work on whose output nobody waits. */
export function quietTerminal(): Terminal {
  return { out: () => undefined, err: () => undefined, input: Readable.from([]), interactive: false }
}
