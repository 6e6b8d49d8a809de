/**
 * What an option table is: one typed row for each option a user can write, and the TypeScript type of the
 * settings read through it. Drivers export tables of this shape; `server/` hands them to the parser.
 */
import type { Expandable } from '../../../base/expandable.ts'
import type { ByteString } from '../../../base/text.ts'

/** How the value of an option is written and read. Names with `expand` are string-expanded when used. */
export interface OptionTypes {
  boolean: boolean
  /** Decimal, 0x hex, leading-zero octal; K, M, G multiply. */
  integer: number
  octal: number
  /** Seconds; written `4h30m`. */
  time: number
  /** Seconds each; colon separated. */
  timeList: readonly number[]
  /** A fixed-point number such as a load average. */
  fixed: number
  string: ByteString
  expand: Expandable
  /** Expanded to a boolean, integer or time when used. */
  expandBoolean: Expandable
  expandInteger: Expandable
  expandTime: Expandable
  /** A list split when read, not expanded. */
  stringList: readonly ByteString[]
  /** A list expanded as a whole when used, then split. */
  expandList: Expandable
  domainList: Expandable
  hostList: Expandable
  addressList: Expandable
  localPartList: Expandable
  /** May be given several times; each value is one entry. */
  expandMany: readonly Expandable[]
  /** A user or group: name, number, or expanded. */
  user: Expandable
  group: Expandable
  /** Rewriting rules written inside an option (`headers_rewrite`). */
  rewrite: Expandable
}
export type OptionType = keyof OptionTypes

export interface OptionRow {
  readonly type: OptionType
  /** In the form the settings hold; for the expanded types a text; undefined: unset. */
  readonly default: boolean | number | string | readonly string[] | readonly number[] | undefined
  /** One sentence in our own words. */
  readonly doc: string
  /** Older spellings, each with the remark to make when it is met (undefined: none). */
  readonly aliases?: Readonly<Record<string, string | undefined>>
  /** Of an integer: a size, shown with K and M; in `kilobytes` a number without a letter counts those. */
  readonly size?: 'bytes' | 'kilobytes'
  /** Of a string: a word that may be written in letters of any case; kept in small ones. */
  readonly anyCase?: true
  /** Of a time: what is longer is taken for this. */
  readonly most?: number
  /** Each value is a list with this separator, whose items are expanded one by one. */
  readonly items?: ':' | '\n'
  /** A short form: names of the boolean options that it sets alike. */
  readonly sets?: readonly string[]
  /** The Postern version from which it works; absent: known and read, but without effect yet. */
  readonly since?: string
  /** While it does not work yet, its use stops the start: without it a server would be less safe than asked for. */
  readonly secures?: true
  /** Accepted for compatibility, and why it has no effect here. */
  readonly noEffect?: string
  /** Chapter of Exim's manual. */
  readonly manual?: string
  /** A: base texts and usual servers; B: often seen; C: rare. */
  readonly tier: 'A' | 'B' | 'C'
}

export type OptionTable = Readonly<Record<string, OptionRow>>

/** An expanded or list-like option without default may be unset; so may any row whose default is undefined. */
export type Settings<T extends OptionTable> = {
  readonly [K in keyof T]: T[K]['default'] extends undefined
    ? OptionTypes[T[K]['type']] | undefined
    : OptionTypes[T[K]['type']]
}
