/** Files whose keys are patterns: `*end`, `^regular expression`, or plain; the first that matches counts. */
import { isFailure, type Awaitable, type Outcome } from '../../base/outcome.ts'
import { compileRegex } from '../../base/regex.ts'
import { textOf, type ByteString } from '../../base/text.ts'
import type { Context, LookupResult } from '../../ports.ts'
import { eachEntry, type Entry } from './lines.ts'
import { foundEntry } from './lsearch.ts'
import type { LookupOptions, Opened, SingleKeyType } from './types.ts'

interface Pattern {
  readonly entry: Entry
  matches(key: ByteString): boolean
}

function compilePattern(entry: Entry, pattern: ByteString): Pattern {
  if (pattern.startsWith('^')) {
    const regex = compileRegex(pattern, { caseless: true })
    if ('error' in regex) return { entry, matches: () => false }
    return {
      entry,
      matches(key) {
        const found = regex.match(key)
        return found !== undefined && !('error' in found)
      },
    }
  }
  const lower = pattern.toLowerCase()
  if (lower.startsWith('*')) {
    const end = lower.slice(1)
    return { entry, matches: (key) => key.endsWith(end) }
  }
  return { entry, matches: (key) => key === lower }
}

/** Plain keys are found by name; only patterns that stand before such a key are tried one by one. */
interface Wild {
  readonly plain: Map<ByteString, { readonly at: number; readonly entry: Entry }>
  readonly patterns: { readonly at: number; readonly pattern: Pattern }[]
}

function findIn(wild: Wild, key: ByteString): Entry | undefined {
  const lower = key.toLowerCase()
  const exact = wild.plain.get(lower)
  const limit = exact?.at ?? Number.POSITIVE_INFINITY
  for (const { at, pattern } of wild.patterns) {
    if (at > limit) break
    if (pattern.matches(lower)) return pattern.entry
  }
  return exact?.entry
}

function addEntry(wild: Wild, entry: Entry, pattern: ByteString, at: number): void {
  if (pattern.startsWith('^') || pattern.startsWith('*')) {
    wild.patterns.push({ at, pattern: compilePattern(entry, pattern) })
  } else {
    const key = pattern.toLowerCase()
    if (!wild.plain.has(key)) wild.plain.set(key, { at, entry })
  }
}

function openedFrom(wild: Wild, options: ReadonlyMap<string, string>): Opened {
  return {
    find(key): LookupResult {
      const entry = findIn(wild, key)
      return entry === undefined ? { is: 'none' } : foundEntry(entry, options)
    },
  }
}

/** How many keys are expanded before others have their turn. */
const keysATurn = 200

/** Expands key after key until one matches; what keys expand to may differ each time. */
async function findExpanding(
  entries: readonly Entry[],
  key: ByteString,
  options: LookupOptions,
  context: Context,
): Promise<LookupResult> {
  const lower = key.toLowerCase()
  for (const [i, entry] of entries.entries()) {
    if (i % keysATurn === keysATurn - 1) await new Promise((resolve) => setImmediate(resolve))
    const pattern: Outcome = /[$\\]/.test(entry.key)
      ? await context.ports.expandText(entry.key, context)
      : entry.key
    if (isFailure(pattern)) {
      return { is: 'defer', message: `failed to expand "${entry.key}": ${pattern.message}` }
    }
    if (compilePattern(entry, textOf(pattern)).matches(lower)) return foundEntry(entry, options)
  }
  return { is: 'none' }
}

function row(name: 'wildlsearch' | 'nwildlsearch', doc: string): SingleKeyType {
  return {
    name,
    doc,
    since: '0.1',
    style: 'single',
    open(file, options, context, cache) {
      const entries = cache.get(
        file,
        name,
        'linear search',
        context,
        (bytes): Awaitable<{ list: Entry[]; wild: Wild }> => {
          const made = {
            list: [] as Entry[],
            wild: { plain: new Map(), patterns: [] } satisfies Wild as Wild,
          }
          const done = eachEntry(bytes, (entry) => {
            if (name === 'nwildlsearch' || !/[$\\]/.test(entry.key))
              addEntry(made.wild, entry, entry.key, made.list.length)
            made.list.push(entry)
          })
          return done instanceof Promise ? done.then(() => made) : made
        },
      )
      const go = (found: { list: Entry[]; wild: Wild } | { problem: string }): Opened => {
        if ('problem' in found) return { error: 'failure', message: found.problem }
        if (name === 'nwildlsearch' || !found.list.some((entry) => /[$\\]/.test(entry.key))) {
          return openedFrom(found.wild, options)
        }
        return { find: (key) => findExpanding(found.list, key, options, context) }
      }
      return entries instanceof Promise ? entries.then(go) : go(entries)
    },
  }
}

export const wildlsearch = row(
  'wildlsearch',
  'Searches a text file whose keys are expanded and may be patterns.',
)
export const nwildlsearch = row('nwildlsearch', 'Searches a text file whose keys may be patterns.')
