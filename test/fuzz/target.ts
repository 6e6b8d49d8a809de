/** What a fuzz target is: one file in `targets/`, one line in `targets/index.ts`. */
import type { Random } from './random.ts'

export interface FuzzTarget {
  /** As the command line names it. */
  readonly name: string
  /** What must hold, in a sentence. */
  readonly says: string
  /** Built once in the worker that runs the target. */
  make(): FuzzBench | Promise<FuzzBench>
}

export interface FuzzBench {
  /** The next input: bytes as characters U+0000 to U+00FF. */
  generate(random: Random): string
  /**
   * Does the thing. Throws when what must hold does not; what it returns is looked at for stack traces.
   * Never let an input reach commands, files outside a folder of its own, or the network.
   */
  run(input: string): unknown
  close?(): void
}
