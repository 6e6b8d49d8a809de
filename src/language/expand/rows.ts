/** What a row of each of the four tables holds. */
import type { Awaitable, Failure, Outcome } from '../../base/outcome.ts'
import type { ByteString, Text } from '../../base/text.ts'
import type { Environment } from './environment.ts'
import type { Reader } from './reader.ts'
import type { ConditionNode, ConditionParts, ItemParts, Template } from './tree.ts'

/** What each row begins with. */
export interface RowHead {
  readonly name: string
  /** One sentence, in our own words. */
  readonly doc: string
  /** Postern's version since which it works; undefined: the name is known, but does not work yet. */
  readonly since?: string
  /** Section of Exim's manual. */
  readonly manual: string
}

/** A compiled piece: evaluates now when it can, or promises. */
export type Run = (environment: Environment) => Awaitable<Outcome>
export type Test = (environment: Environment) => Awaitable<boolean | Failure>

/** What `compile` functions of rows may use. */
export interface Compiler {
  template(template: Template): Run
  condition(node: ConditionNode): Test
  /** A text that an item took out of its argument. */
  text(text: ByteString): Run
}

export interface ItemRow extends RowHead {
  /** Why it never works here; `doc` begins with it. */
  readonly refused?: string
  /** Reads what follows the name, up to and with the closing brace; undefined after a fault. */
  read(reader: Reader, start: number): ItemParts | undefined
  compile(parts: ItemParts, compiler: Compiler): Run
}

export interface OperatorRow extends RowHead {
  /** What may follow the name after an underscore. */
  readonly suffix?: 'numbers' | 'word'
  apply(text: Text, environment: Environment, suffix: string): Awaitable<Outcome>
  /** Of a certificate variable it takes the certificate itself, not its text. */
  readonly ofCertificates?: 'as is' | 'in capitals'
}

export interface ConditionRow extends RowHead {
  /** Reads what follows the name; undefined after a fault. */
  read(reader: Reader, name: string): ConditionParts | undefined
  compile(parts: ConditionParts, compiler: Compiler, name: string): Test
}

export type VariableValue = Text | number | undefined | Failure

export interface VariableRow extends RowHead {
  /** True when a stranger can influence it. A `Text` that is tainted already stays so in any case. */
  readonly tainted: boolean
  /** Undefined: not working yet. A value of undefined stands for an empty text. */
  readonly get?: ((environment: Environment) => Awaitable<VariableValue>) | undefined
  /** The variable stands for a certificate: its DER, for `${certextract` and digests. */
  readonly certificate?: (environment: Environment) => Uint8Array | undefined
  /** Older spelling: what to use today. */
  readonly insteadUse?: string
}
