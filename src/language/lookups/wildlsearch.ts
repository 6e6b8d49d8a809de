/** Files whose keys are patterns: `*end`, `^regular expression`, or plain; the first that matches counts. */
import { isFailure, type Awaitable, type Outcome } from '../../base/outcome.ts'
import { compileRegex } from '../../base/regex.ts'
import { textOf, type ByteString } from '../../base/text.ts'
import type { Context, LookupResult } from '../../ports.ts'
import { eachEntry, type Entry } from './lines.ts'
import { foundEntry } from './lsearch.ts'
import type { Opened, SingleKeyType } from './types.ts'

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

async function expandKeys(entries: readonly Entry[], context: Context): Promise<Wild | { problem: string }> {
  const wild: Wild = { plain: new Map(), patterns: [] }
  for (const [at, entry] of entries.entries()) {
    const key: Outcome = await context.ports.expandText(entry.key, context)
    if (isFailure(key)) return { problem: `failed to expand "${entry.key}": ${key.message}` }
    addEntry(wild, entry, textOf(key), at)
  }
  return wild
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
      const go = (found: { list: Entry[]; wild: Wild } | { problem: string }): Awaitable<Opened> => {
        if ('problem' in found) return { error: 'failure', message: found.problem }
        if (name === 'nwildlsearch' || !found.list.some((entry) => /[$\\]/.test(entry.key))) {
          return openedFrom(found.wild, options)
        }
        // What keys expand to may differ each time.
        return expandKeys(found.list, context).then((wild) =>
          'problem' in wild ? { error: 'defer', message: wild.problem } : openedFrom(wild, options),
        )
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
