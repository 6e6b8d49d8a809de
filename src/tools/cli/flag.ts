/** What a row of the command line's flag table is. */

/** One way to run the program; each is a file in `modes/`. */
export type ModeName =
  | 'accept-message'
  | 'batch-smtp'
  | 'build-information'
  | 'count-queue'
  | 'daemon'
  | 'expand'
  | 'filter-test'
  | 'help'
  | 'host-check'
  | 'information'
  | 'log-line'
  | 'malware-scan'
  | 'message-action'
  | 'message-show'
  | 'newaliases'
  | 'print-options'
  | 'queue-list'
  | 'queue-run'
  | 'remove-pid-file'
  | 'retry-test'
  | 'rewrite-test'
  | 'smtp-on-stdin'
  | 'address-test'
  | 'address-verify'

/**
 * Where the value of a flag stands:
 * - `nothing`: it has none.
 * - `next`: the next argument.
 * - `attached`: the rest of the same argument.
 * - `attached or next`: the rest of the same argument, or the next one when nothing is left.
 * - `optional attached`: the rest of the same argument, if any.
 * - `all that follow`: every argument after it.
 */
export type FlagTakes =
  | 'nothing'
  | 'next'
  | 'attached'
  | 'attached or next'
  | 'optional attached'
  | 'all that follow'

export interface FlagRow {
  readonly takes: FlagTakes
  /** Whether the next word of the line belongs to the flag, besides its value and the words it has. */
  readonly words?: (next: string, has: readonly string[], value: string | undefined) => boolean
  /** One sentence, our own words. */
  readonly doc: string
  readonly tier: 'A' | 'B' | 'C'
  /** The mode it selects; absent: it changes how another mode works. */
  readonly mode?: ModeName
  /** What a value must look like; longer flags with the same beginning are tried first. */
  readonly form?: RegExp
  /** Only for admin users; `unless` names the option that lifts this. */
  readonly admin?: true | { readonly unless: 'no_prod_requires_admin' | 'no_queue_list_requires_admin' }
  /** Only for trusted users; others are ignored silently, as in Exim, where `ignoredWhenUntrusted` is set. */
  readonly trusted?: 'refused' | 'ignored'
  /** Postern version from which it works. */
  readonly since?: string
  /** Read and without effect, and why. */
  readonly ignored?: string
  /** Refused, with this sentence. */
  readonly refused?: string
}

export type FlagTable = Readonly<Record<string, FlagRow>>
