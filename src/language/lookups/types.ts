/** What a lookup type is made of. */
import type { Awaitable } from '../../base/outcome.ts'
import type { ByteString, Text } from '../../base/text.ts'
import type { Context, LookupResult } from '../../ports.ts'
import type { FileCache } from './file-cache.ts'

interface TypeHead {
  readonly name: string
  /** One sentence, in our own words. */
  readonly doc: string
  readonly since: string
}

/** Looks a key up in a file. Partial matching and defaults are done around it, by asking for several keys. */
export interface SingleKeyType extends TypeHead {
  readonly style: 'single'
  /** What stands for the file is none, but data, which may come from outside. */
  readonly fileIsData?: true
  /** Gives how to find keys in the file; the same file is opened once for all keys of one lookup. */
  open(file: string, options: LookupOptions, context: Context, cache: FileCache): Awaitable<Opened>
  /** Closes what it keeps open. */
  close?(): void
}

/** An open file: finding a key in it. */
export type Opened =
  | { readonly find: (key: ByteString) => Awaitable<LookupResult> }
  | { readonly error: 'failure' | 'defer'; readonly message: string }

/** Takes a query. */
export interface QueryType extends TypeHead {
  readonly style: 'query'
  find(
    query: Text,
    options: LookupOptions,
    context: Context,
    parameters?: readonly Text[],
  ): Awaitable<LookupResult>
  /** Ends connections. */
  close?(): void
}

export type LookupTypeRow = SingleKeyType | QueryType

/** `ret=full,filter=dir` taken apart. */
export type LookupOptions = ReadonlyMap<string, string>

export function parseOptions(text: ByteString): LookupOptions {
  const options = new Map<string, string>()
  for (const part of text.split(',')) {
    const equals = part.indexOf('=')
    const name = (equals < 0 ? part : part.slice(0, equals)).trim()
    if (name !== '') options.set(name, equals < 0 ? '' : part.slice(equals + 1).trim())
  }
  return options
}

/** `timeout=2s` or `timeout=500ms` in milliseconds, never more than a minute. */
export function durationOption(options: LookupOptions, name: string, otherwiseMs: number): number {
  const match = /^(\d{1,6})(ms|s|)$/.exec(options.get(name) ?? '')
  if (match === null) return otherwiseMs
  return Math.min(60_000, Math.max(1, Number(match[1]) * (match[2] === 'ms' ? 1 : 1_000)))
}
