/**
 * Reads a redirection list: addresses, pipes, files and the special items between colons.
 * Source: Exim manual, "Items in a non-filter redirection list", "Special items in redirection lists".
 */
import type { Awaitable } from '../../../base/outcome.ts'
import { type ByteString, slice, type Text, textOf, unquotedTaint } from '../../../base/text.ts'
import { endOfAddress, parseAddress } from '../../../mail/parse-address.ts'

export type ListItem =
  /** Domain empty: to be qualified; `backslash`: with the domain of the incoming address. */
  | {
      readonly is: 'address'
      readonly localPart: ByteString
      readonly domain: ByteString
      readonly backslash: boolean
    }
  | {
      readonly is: 'special'
      readonly kind: 'pipe' | 'file' | 'directory'
      readonly text: ByteString
      /** Part of it came from outside. */
      readonly tainted: boolean
    }

export interface ItemError {
  /** Undefined: it is a filter that is wrong. */
  readonly item: ByteString | undefined
  /** What is wrong, without the item. */
  readonly reason: ByteString
  /** For the log. */
  readonly message: ByteString
}

export type ParsedList =
  | { readonly is: 'items'; readonly items: readonly ListItem[]; readonly errors: readonly ItemError[] }
  | { readonly is: 'blackhole' }
  /** What stands before `:fail:` counts, as long as it is not in an included file that says so. */
  | { readonly is: 'fail'; readonly text: ByteString; readonly items: readonly ListItem[] }
  | { readonly is: 'defer'; readonly text: ByteString }
  /** The list as a whole is wrong. */
  | { readonly is: 'error'; readonly message: ByteString }

export interface ListRules {
  readonly allowDefer: boolean
  readonly allowFail: boolean
  readonly forbidBlackhole: boolean
  readonly forbidInclude: boolean
  readonly includeDirectory: string | undefined
  /** Skip wrong addresses and tell about them instead of giving up. */
  readonly skipErrors: boolean
  readonly allowUtf8Domains: boolean
  /** The text of an included file, or what is wrong. */
  include(
    path: ByteString,
  ): Awaitable<{ readonly bytes: ByteString } | { readonly error: ByteString; readonly missing: boolean }>
}

const itemLimit = 100_000
const includeDepthLimit = 10

/** What has been read so far; includes add to the same. */
interface Reading {
  readonly rules: ListRules
  readonly items: ListItem[]
  readonly errors: ItemError[]
}

export async function parseList(data: Text, rules: ListRules): Promise<ParsedList> {
  const reading: Reading = { rules, items: [], errors: [] }
  const stop = await read(data, reading, 0)
  return stop ?? { is: 'items', items: reading.items, errors: reading.errors }
}

/** Undefined: read to the end. */
async function read(source: Text, reading: Reading, depth: number): Promise<ParsedList | undefined> {
  const data = textOf(source)
  let at = 0
  for (;;) {
    at = skipToItem(data, at)
    if (at >= data.length) return undefined
    if (reading.items.length >= itemLimit) return wrong('too many items in redirection list')
    const verdict = specialWord(data, at, reading)
    if (verdict !== undefined) return verdict
    const start = at
    const end = endOfAddress(data, at, true)
    const item = withoutQuotes(trimmed(data.slice(at, end)))
    at = end
    if (item === ':unknown:') continue
    const tainted = unquotedTaint(slice(source, start, end)) !== undefined
    const stop = item.startsWith(':include:')
      ? await include(trimmed(item.slice(':include:'.length)), tainted, reading, depth)
      : readItem(item, tainted, reading)
    if (stop !== undefined) return stop
  }
}

/** Over white space, commas, empty lines and comments. */
function skipToItem(data: ByteString, start: number): number {
  let at = start
  for (;;) {
    while (at < data.length && /[\s,]/.test(data.charAt(at))) at++
    if (data[at] !== '#') return at
    const newline = data.indexOf('\n', at)
    at = newline < 0 ? data.length : newline
  }
}

/** `:blackhole:`, `:fail:`, `:defer:`: nothing after it is looked at. */
function specialWord(data: ByteString, at: number, { rules, items }: Reading): ParsedList | undefined {
  const word = /^"?(:(?:blackhole|fail|defer):)/.exec(data.slice(at, at + 14))?.[1]
  if (word === undefined) return undefined
  if (word === ':blackhole:') {
    return rules.forbidBlackhole ? wrong('":blackhole:" is not permitted') : { is: 'blackhole' }
  }
  const is = word === ':fail:' ? 'fail' : 'defer'
  if (is === 'fail' ? rules.allowFail : rules.allowDefer) {
    // All the rest of the list is the text: neither a comma nor the end of a line ends it.
    const text = trimmed(data.slice(at + word.length))
    return is === 'fail' ? { is, text, items } : { is, text }
  }
  return wrong(`"${trimmed(data.slice(at, endOfAddress(data, at, true)))}" is not permitted`)
}

async function include(
  path: ByteString,
  tainted: boolean,
  reading: Reading,
  depth: number,
): Promise<ParsedList | undefined> {
  const { rules } = reading
  if (rules.forbidInclude) return wrong('included files not permitted')
  if (tainted) return wrong(`Tainted name '${path}' for file read not permitted`)
  if (path === '') return wrong('file name missing after :include:')
  if (!path.startsWith('/')) return wrong(`included file "${path}" is not an absolute path`)
  const directory = rules.includeDirectory
  if (directory !== undefined && (!path.startsWith(`${directory}/`) || path.includes('/../'))) {
    return wrong(`included file ${path} is not in directory ${directory}`)
  }
  if (depth >= includeDepthLimit) return wrong(`included file ${path}: included files are nested too deeply`)
  const file = await rules.include(path)
  if ('error' in file) return wrong(`failed to open included file ${path}: ${file.error}`)
  const before = reading.items.length
  const stop = await read(file.bytes, reading, depth + 1)
  if (stop?.is === 'fail') reading.items.length = before
  return stop
}

function readItem(item: ByteString, tainted: boolean, reading: Reading): ParsedList | undefined {
  if (item === '') return undefined
  const backslash = item.startsWith('\\')
  const text = backslash ? item.slice(1) : item
  const options = { allowUtf8Domains: reading.rules.allowUtf8Domains }
  const parsed = parseAddress(text, options)
  const qualified = parsed.is === 'address' && parsed.domain !== ''
  if (item.startsWith('|') && !qualified) {
    reading.items.push({ is: 'special', kind: 'pipe', text: item, tainted })
    return undefined
  }
  if (item.startsWith('/') && !qualified) {
    reading.items.push({
      is: 'special',
      kind: item.endsWith('/') ? 'directory' : 'file',
      text: item,
      tainted,
    })
    return undefined
  }
  // Only an unqualified address may begin with the mark; else it belongs to the address.
  const found = backslash && (parsed.is === 'error' || qualified) ? parseAddress(item, options) : parsed
  if (found.is === 'error') {
    // An item that is nothing but a comment yields nothing.
    if (found.message === 'empty address') return undefined
    const problem = { item, reason: found.message, message: `${found.message} in "${item}"` }
    if (!reading.rules.skipErrors) return wrong(problem.message)
    reading.errors.push(problem)
    return undefined
  }
  const { localPart, domain } = found
  reading.items.push({ is: 'address', localPart, domain, backslash: found === parsed && backslash })
  return undefined
}

/** Quotes around a whole item are taken off; only in the name of a file or command are escapes undone, too. Observed of Exim 4.96. */
function withoutQuotes(item: ByteString): ByteString {
  if (!item.startsWith('"')) return item
  let text = ''
  for (let i = 1; i < item.length; i++) {
    if (item[i] === '"') {
      if (i < item.length - 1) return item
      return trimmed(/^[|/]/.test(text) ? text : item.slice(1, -1))
    }
    if (item[i] === '\\' && i + 1 < item.length) i++
    text += item[i]
  }
  return item
}

function trimmed(text: ByteString): ByteString {
  return text.replace(/^\s+|\s+$/g, '')
}

function wrong(message: ByteString): ParsedList {
  return { is: 'error', message }
}
