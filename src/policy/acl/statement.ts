/** An ACL taken apart: statements, each a verb with its conditions and modifiers. */
import type { Span } from '../../base/diagnostic.ts'
import type { Expandable } from '../../base/expandable.ts'
import type { Noted } from '../../base/noted.ts'
import type { ByteString } from '../../base/text.ts'
import type { Row, Verb } from './row.ts'

export interface Clause {
  readonly row: Row
  readonly negated: boolean
  /** Of `set`: `acl_c_name` or `acl_m_name`. */
  readonly variable: string
  /** It was written `set $acl_m_x`, which Exim refuses. */
  readonly dollar?: boolean
  readonly argument: Expandable
  /** The words of an argument that is expanded word by word. */
  readonly words: readonly Expandable[]
  /** `check !verify = recipient`, ready for debugging. */
  readonly shown: ByteString
  readonly at: Span
  /** For explanations; made when the first one wants it. */
  noted: Noted | undefined
}

export interface Statement {
  /** A clause of it could not be read. */
  readonly broken: boolean
  readonly verb: Verb
  readonly clauses: readonly Clause[]
  readonly at: Span
  readonly file: string
  readonly line: number
  /** Where its first logical line ends: the number that Exim shows in debugging. */
  readonly lastLine: number
  /** For explanations; made when the first one wants it. */
  noted: Noted | undefined
}

export interface Acl {
  /** Undefined for text that stands in an option or a condition. */
  readonly name: string | undefined
  readonly statements: readonly Statement[]
  /** The first mistake; an ACL with one gives an error whenever it is used. */
  readonly mistakes: readonly Mistake[]
}

export interface Mistake {
  readonly code: string
  /** Exim's sentence. */
  readonly message: ByteString
  readonly at: Span
  readonly help?: string | undefined
  /** A row that does not work yet, rather than a fault of the text. */
  readonly missing?: boolean
}
