/**
 * The tree of an expansion string. Offsets count bytes of the text that was parsed.
 * Source: Exim manual, "String expansions".
 */
import type { ByteString } from '../../base/text.ts'
import type { ConditionRow, ItemRow, OperatorRow, VariableRow } from './rows.ts'

/** A stretch of the parsed text; the end is exclusive. */
export interface Stretch {
  readonly start: number
  readonly end: number
}

/** A mistake found while parsing. `fatal` ones end the parsing; others matter only where they are evaluated. */
export interface Fault extends Stretch {
  readonly code: string
  /** Exim's sentence. */
  readonly message: string
  readonly help?: string | undefined
  /** The whole string cannot be expanded, wherever in it this stands. */
  readonly stops?: boolean
  readonly also?: readonly { readonly start: number; readonly end: number; readonly says: string }[]
}

/** Text with items in it: the whole string, or what stands between a pair of braces. */
export interface Template extends Stretch {
  readonly nodes: readonly Node[]
}

export type Node =
  | (Stretch & { readonly kind: 'text'; readonly text: ByteString })
  | (Stretch & { readonly kind: 'capture'; readonly index: number })
  | (Stretch & { readonly kind: 'variable'; readonly name: string; readonly row: VariableRow })
  | (Stretch & { readonly kind: 'header'; readonly form: HeaderForm; readonly name: ByteString })
  | (Stretch & {
      readonly kind: 'operator'
      readonly name: string
      /** What stands between the name and the colon: `_1_3`. */
      readonly suffix: string
      readonly row: OperatorRow
      readonly body: Template
    })
  | (Stretch & {
      readonly kind: 'item'
      readonly name: string
      readonly row: ItemRow
      readonly parts: ItemParts
    })
  /** Something that cannot be evaluated; it fails with this sentence when its turn comes. */
  | (Stretch & { readonly kind: 'fault'; readonly message: string })

/** `$h_`, `$rh_`, `$bh_`, `$lh_`. */
export type HeaderForm = 'h' | 'rh' | 'bh' | 'lh'

/** What an item's `read` found; which fields are filled is a matter between its `read` and its `compile`. */
export interface ItemParts {
  readonly arguments: readonly Template[]
  readonly branches?: Branches | undefined
  readonly condition?: ConditionNode | undefined
  /** Words outside braces: `json`, `preexpand`, a lookup type. */
  readonly word?: string | undefined
}

/** `{yes}{no}`, `{yes}fail`. */
export interface Branches {
  readonly yes: Template | undefined
  readonly no: Template | 'fail' | undefined
}

export interface ConditionNode extends Stretch {
  readonly name: string
  readonly row: ConditionRow
  readonly negated: boolean
  readonly parts: ConditionParts
}

export interface ConditionParts {
  readonly arguments: readonly Template[]
  /** Of `and`, `or`, `forany`. */
  readonly conditions?: readonly ConditionNode[] | undefined
  /** Of `def:`. */
  readonly variable?: VariableRow | undefined
  readonly header?: { readonly form: HeaderForm; readonly name: ByteString } | undefined
  /** Text taken as it stands, not expanded (second argument of `match_domain`). */
  readonly raw?: ByteString | undefined
}
