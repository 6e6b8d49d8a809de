/** Shape of the rows of conditions, modifiers and controls, and what their code gets to see. */
import type { Expandable } from '../../base/expandable.ts'
import type { Awaitable } from '../../base/outcome.ts'
import type { ByteString, Text } from '../../base/text.ts'
import type { Turn } from '../../base/turn.ts'
import type { ListKind } from '../../language/config/configuration.ts'
import type { AclPlace, AclResult, Context } from '../../ports.ts'
import type { Phases } from './place.ts'

/** What one condition says. Messages become the statement's, unless it brings its own. */
export interface Tested {
  /** `drop` and `discard` come from an ACL that was called. */
  readonly is: 'true' | 'false' | 'defer' | 'error' | 'drop' | 'discard'
  readonly logMessage?: ByteString | undefined
  readonly userMessage?: ByteString | undefined
  /** What `$acl_verify_message` holds afterwards, when it is another text than the one for the user. */
  readonly verifyMessage?: ByteString | undefined
  /** What it says takes the place of what was said before it, even when it says nothing. */
  readonly replaces?: true
}

export const TRUE: Tested = { is: 'true' }
export const FALSE: Tested = { is: 'false' }

export function errorOf(logMessage: ByteString): Tested {
  return { is: 'error', logMessage }
}

export type Verb = 'accept' | 'defer' | 'deny' | 'discard' | 'drop' | 'require' | 'warn'

/** The call of an ACL that a row works for. */
export interface AclCall {
  readonly place: AclPlace
  readonly context: Context
  /** Runs another ACL from this one. */
  runNested(acl: Text, argumentsOfCall: readonly Text[], within: Context): Awaitable<AclResult>
  /** What is remembered for one command: one run of an ACL with all that it calls. */
  readonly memory: Map<string, unknown>
  /** Others have theirs between clauses that take long. */
  readonly turn: Turn
  /** Set by `log_reject_target`, for the rest of the ACL. */
  logReject: AclResult['logReject']
}

interface CommonRow {
  readonly name: string
  readonly doc: string
  /** Absent: known, but it does not work yet. */
  readonly since?: string
  readonly tier: 'A' | 'B' | 'C'
  readonly phases: Phases
  /** Section of the manual's chapter on ACLs, or another chapter. */
  readonly manual?: string
}

/** A condition whose argument is expanded first. */
export interface TextCondition extends CommonRow {
  readonly kind: 'condition'
  readonly argument: 'text'
  run(call: AclCall, argument: Text, negated: boolean): Awaitable<Tested>
}
/** A condition whose argument is a list, handed over as it stands in the file. */
export interface ListCondition extends CommonRow {
  readonly kind: 'condition'
  readonly argument: 'list'
  /** What kind of list it is. */
  readonly list: ListKind | 'string'
  run(call: AclCall, argument: Expandable): Awaitable<Tested>
}
/** A condition whose words are expanded one by one. */
export interface WordsCondition extends CommonRow {
  readonly kind: 'condition'
  readonly argument: 'words'
  run(call: AclCall, words: readonly Text[]): Awaitable<Tested>
}
/** A condition that is known, but does not work yet: its use stops the start. */
export interface MissingCondition extends CommonRow {
  readonly kind: 'condition'
  readonly argument: 'missing'
}
export type ConditionRow = TextCondition | ListCondition | WordsCondition | MissingCondition

/** What a modifier did: undefined when all went well. */
export type Modified = Tested | undefined

/** A modifier that acts as soon as it is met. */
export interface ActingModifier extends CommonRow {
  readonly kind: 'modifier'
  readonly argument: 'text'
  /** `variable` is the word after `set`. */
  run(call: AclCall, argument: Text, variable: string): Awaitable<Modified>
}
/** A modifier that the walk over a statement handles itself: `endpass`, `message`, `log_message`. */
export interface StatementModifier extends CommonRow {
  readonly kind: 'modifier'
  readonly argument: 'none' | 'later'
}
export type ModifierRow = ActingModifier | StatementModifier

export type Row = ConditionRow | ModifierRow

/** One word after `control =`. */
export interface ControlRow {
  readonly name: string
  readonly aliases?: readonly string[]
  readonly doc: string
  readonly since?: string
  readonly tier: 'A' | 'B' | 'C'
  readonly phases: Phases
  /** True when `/options` may follow. */
  readonly takesOptions: boolean
  /**
   * Obeys the control.
   * @param options what follows the first slash, with its taint; empty when there is none
   * @returns undefined, or false when the options are wrong, or a message of its own
   */
  apply?(call: AclCall, options: Text): Awaitable<undefined | false | Tested>
}
