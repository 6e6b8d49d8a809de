/** A test as it was read: values only. */
import type { ByteString } from '../../../base/text.ts'
import type { Stated } from '../../../server/offline/stated.ts'
import type { Matcher } from './expectation.ts'
import type { Place } from './value.ts'

export type Step =
  | {
      readonly is: 'command' | 'message'
      readonly text: ByteString
      readonly expect: Matcher | undefined
    }
  | { readonly is: 'wait'; readonly milliseconds: number }

/** What an address is expected to lead to. */
export interface RouteExpectation {
  readonly at: Place
  readonly router: Matcher | undefined
  readonly transport: Matcher | undefined
  readonly hosts: readonly Matcher[] | undefined
  /** Addresses it leads to, in any order. */
  readonly to: readonly Matcher[] | undefined
  readonly fails: Matcher | undefined
  readonly defers: Matcher | undefined
  readonly discarded: boolean | undefined
}

export interface Expectations {
  readonly reply: Matcher | undefined
  readonly replies: readonly {
    readonly of: string
    readonly matchers: readonly Matcher[]
    readonly at: Place
  }[]
  readonly logs: readonly {
    readonly log: 'main' | 'reject' | 'panic'
    readonly line: Matcher
    readonly absent: boolean
  }[]
  readonly decidedBy: Matcher | undefined
  readonly sender: Matcher | undefined
  readonly recipients: readonly Matcher[] | undefined
  readonly headers: readonly {
    readonly name: string
    readonly value: Matcher | undefined
    readonly at: Place
  }[]
  readonly headersAdded: readonly Matcher[]
  readonly headersRemoved: readonly Matcher[]
  readonly routing: readonly { readonly address: string; readonly to: RouteExpectation }[]
  readonly variables: readonly { readonly text: string; readonly value: Matcher; readonly at: Place }[]
  readonly packets: readonly Matcher[]
  /** Of `expand`: what it fails with. */
  readonly fails: Matcher | undefined
  readonly value: Matcher | undefined
  /** Of `route`. */
  readonly route: RouteExpectation | undefined
}

export type Deed =
  | {
      readonly is: 'session'
      readonly steps: readonly Step[]
      /** A session in the short form goes on only while the server wants to. */
      readonly stopsWhenRefused: boolean
    }
  | { readonly is: 'route'; readonly address: ByteString; readonly sender: ByteString | undefined }
  | { readonly is: 'expand'; readonly text: ByteString }

export interface TestCase {
  readonly name: string
  readonly at: Place
  readonly stated: Stated
  readonly deed: Deed
  readonly expect: Expectations
}

export type ConfigurationName =
  | { readonly is: 'file'; readonly path: string }
  /** Postern's own: that of `postern start`, and the first one of `postern install`. */
  | { readonly is: 'built in'; readonly which: 'start' | 'install' }

export interface TestFile {
  readonly file: string
  readonly configuration: ConfigurationName | undefined
  readonly macros: ReadonlyMap<string, ByteString>
  readonly tests: readonly TestCase[]
}
