/** The world of a played session as a file states it: values only. What it does not state nobody answers. */
import type { ByteString } from '../../base/text.ts'
import type { Account, DnsRecord } from '../../ports.ts'
import type { ClientFacts } from '../client-facts.ts'

/** What a name of the DNS is said to have. */
export interface StatedName {
  /** The name has nothing of this type unless `records` has some. `again`: SERVFAIL or no answer in time. */
  readonly status: 'exists' | 'nxdomain' | 'again'
  readonly records: readonly DnsRecord[]
  /** Types that are answered with SERVFAIL or not at all. */
  readonly again: ReadonlySet<string>
  readonly authenticated: boolean
}

/** Matches the text of a question: as it stands, or a pattern. */
export type TextPattern = { readonly text: ByteString } | { readonly regex: RegExp }

export type StatedAnswer =
  | { readonly is: 'found'; readonly data: ByteString }
  | { readonly is: 'none' }
  | { readonly is: 'defer' | 'failure'; readonly message: ByteString }

export interface StatedFile {
  readonly is: 'file' | 'folder' | 'absent' | 'unreadable'
  readonly bytes: ByteString
  readonly mode: number | undefined
  readonly uid: number | undefined
}

export interface StatedCallout {
  readonly of: TextPattern
  /** `ok`, or the reply of the host. */
  readonly says: ByteString
}

export interface Stated {
  readonly client: ClientFacts
  readonly hostname: string
  readonly interfaces: readonly string[]
  /** Milliseconds since 1970: the clock stands still there, but for `wait`. */
  readonly time: number
  /** By name in lower case; `*.example.org` for all names below. */
  readonly dns: ReadonlyMap<string, StatedName>
  readonly files: ReadonlyMap<string, StatedFile>
  /** Undefined: nothing is said of users. */
  readonly users: ReadonlyMap<string, Account> | undefined
  readonly groups: ReadonlyMap<
    string,
    { readonly name: string; readonly gid: number; readonly members: readonly string[] }
  >
  readonly lookups: readonly {
    readonly type: string
    readonly query: TextPattern
    readonly answer: StatedAnswer
  }[]
  readonly commands: readonly {
    readonly line: TextPattern
    readonly code: number
    readonly output: ByteString
  }[]
  readonly sockets: readonly { readonly to: TextPattern; readonly answer: ByteString | undefined }[]
  readonly callouts: readonly StatedCallout[]
  /** Taken in turn; when they are used up, and without any, 0. */
  readonly random: readonly number[]
  /** How questions that nothing here answers are answered. */
  readonly otherwise: {
    readonly dns: 'nxdomain' | undefined
    readonly files: 'absent' | undefined
    readonly users: 'absent' | undefined
    readonly lookups: 'none' | undefined
    readonly callouts: 'ok' | undefined
  }
}

export function matchesText(pattern: TextPattern, text: ByteString): boolean {
  return 'text' in pattern ? pattern.text === text : pattern.regex.test(text)
}
