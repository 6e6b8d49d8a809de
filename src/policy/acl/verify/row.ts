/** Shape of the items of `verify =`. */
import type { Awaitable } from '../../../base/outcome.ts'
import type { ByteString } from '../../../base/text.ts'
import type { Phases } from '../place.ts'
import type { AclCall, Tested } from '../row.ts'

export interface VerifyArgument {
  /** What follows `sender=`. */
  readonly value: ByteString | undefined
  /** The parts between slashes. */
  readonly options: readonly ByteString[]
  /** The whole argument, for messages. */
  readonly text: ByteString
  readonly negated: boolean
}

export interface VerifyRow {
  readonly name: string
  readonly doc: string
  readonly since?: string
  readonly tier: 'A' | 'B' | 'C'
  readonly phases: Phases
  /** True when `=address` may follow the name. */
  readonly takesAddress: boolean
  /** Words that may follow a slash; absent: none, or those of an address verification. */
  readonly knownOptions?: readonly string[]
  /** Exim's sentence for the first option that is wrong; absent: options are not judged, or `run` judges them. */
  readonly wrongOption?: (options: readonly ByteString[], text: ByteString) => string | undefined
  run?(call: AclCall, argument: VerifyArgument): Awaitable<Tested>
}
