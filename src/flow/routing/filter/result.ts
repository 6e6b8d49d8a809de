/** What a filter leads to, Exim's or Sieve: deliveries set up, and whether they take the place of the usual one. */
import type { ByteString, Text } from '../../../base/text.ts'
import type { Header } from '../../../mail/envelope.ts'
import type { Context } from '../../../ports.ts'
import type { FilterReply, FilterScope } from '../../routed.ts'

export type { FilterReply, FilterScope } from '../../routed.ts'

interface Marks {
  /** `noerror`: failures are not reported. */
  readonly noError: boolean
}

export type FilterDelivery = Marks &
  (
    | { readonly is: 'address'; readonly address: ByteString; readonly errorsTo: ByteString | undefined }
    | { readonly is: 'file'; readonly path: Text; readonly mode: number | undefined }
    | { readonly is: 'pipe'; readonly command: ByteString; readonly scope: FilterScope }
    | { readonly is: 'reply'; readonly reply: FilterReply }
  )

/** A line for the file of `logfile`. */
export interface FilterNote {
  readonly file: Text
  readonly mode: number
  readonly text: ByteString
}

export type FilterResult =
  | {
      readonly is: 'done'
      /** Some delivery, or `seen`: the address is dealt with. */
      readonly significant: boolean
      readonly deliveries: readonly FilterDelivery[]
      /** `$n0` to `$n9` at the end. */
      readonly counters: readonly number[]
      /** After `headers add` and `headers remove`; undefined: as before. */
      readonly headers: readonly Header[] | undefined
    }
  | {
      readonly is: 'defer' | 'fail' | 'freeze'
      readonly text: ByteString
      readonly deliveries: readonly FilterDelivery[]
      readonly counters: readonly number[]
      readonly headers: readonly Header[] | undefined
    }
  | { readonly is: 'error'; readonly message: ByteString }

/** Where the lines of a test go; absent: the filter is run for a delivery. */
export interface FilterTester {
  readonly verbose: boolean
  out(line: ByteString): void
  /** Only with `-v`. */
  explain(line: ByteString): void
}

/** What a filter may look at and do. */
export interface FilterWorld {
  readonly context: Context
  readonly tester: FilterTester | undefined
  /** A system filter: no user's address, all commands, any `errors_to`. */
  readonly system: boolean
  /** Prepends the home directory to relative paths of `save`. */
  readonly prependHome: boolean
  /** Completes an address without a domain. */
  readonly qualifyDomain: ByteString
  /** Why a command must not be used: `forbid_filter_logwrite` and its kin. */
  forbidden(what: 'logwrite' | 'reply'): string | undefined
  /** Rewrites the user's own address, for `personal`. */
  rewrite(address: ByteString): Promise<ByteString>
  /** Appends to a log of the user's; the sentence of what went wrong, else undefined. */
  note(note: FilterNote): Promise<string | undefined>
}

/** Most deliveries that one filter may set up. */
export const deliveryLimit = 10_000

/** In the output of tests: line ends as `\n`, other bytes that do not print in octal. */
export function shown(text: ByteString): ByteString {
  return text.replace(/[^\t\x20-\x7e]/g, (char) => {
    if (char === '\n') return '\\n'
    if (char === '\r') return '\\r'
    if (char === '\v') return '\\v'
    if (char === '\f') return '\\f'
    if (char === '\b') return '\\b'
    return `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`
  })
}
