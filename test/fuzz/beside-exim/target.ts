/** What a target of comparison is: one file in this folder and one line in its index. */
import type { Random } from '../random.ts'

export interface BesideTarget {
  /** As the command line names it, after `exim/`. */
  readonly name: string
  /** What must hold, in a sentence. */
  readonly says: string
  /** With which `npm test` makes its cases, and how many. */
  readonly seed: number
  readonly cases: number
  make(): BesideBench | Promise<BesideBench>
}

export interface BesideBench {
  /** How many cases are given to both at once. */
  readonly batch: number
  /** The next case: bytes as characters U+0000 to U+00FF. */
  generate(random: Random): string
  /** Whether a text that was made smaller is still a case. */
  takes?(input: string): boolean
  /** Smaller forms of a case, where those of a text with braces do not fit. */
  smaller?(input: string): string[]
  /** What differences of one kind have in common, where the beginning of a case does not tell. */
  form?(ours: string, exim: string): string
  /** The answers of one process to all cases. */
  exim(cases: readonly string[]): Promise<string[]>
  ours(cases: readonly string[]): Promise<string[]>
  /** Why ours may answer so; undefined: it may not. */
  meant(input: string, ours: string, exim: string): string | undefined
  close?(): void
}
