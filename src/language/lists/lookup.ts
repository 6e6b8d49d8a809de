/** Items that are lookups: `lsearch;/file`, `partial-cdb;/file`, `pgsql;select ...`. */
import { slice, textOf, unquotedTaint, type Text } from '../../base/text.ts'
import { after, type Awaitable } from '../../base/outcome.ts'
import { partialCaptures } from '../../base/wild-part.ts'
import type { LookupRequest, LookupResult } from '../../ports.ts'
import { parseLookupType, type LookupType } from '../lookups/parse-type.ts'
import { failing, setCaptures } from './item.ts'
import { taintedAt } from './split.ts'
import type { ItemResult, Match, Run, Subject } from './list.ts'

/** `type;rest`, taken apart. */
export interface LookupItem extends LookupType {
  /** The file of a single-key lookup, the query of the others. */
  readonly data: Text
}

/**
 * Takes a lookup item apart; undefined when the text is none. The type must be the configuration's own words:
 * a lookup that came from outside is a plain item.
 */
export function parseLookupItem(text: Text): LookupItem | { readonly error: string } | undefined {
  const bytes = textOf(text)
  const semicolon = bytes.indexOf(';')
  if (semicolon < 0 || taintedAt(text, 0) || taintedAt(text, semicolon)) return undefined
  const type = parseLookupType(bytes.slice(0, semicolon).trim())
  if ('error' in type) return type
  const rest = slice(text, semicolon + 1)
  const start = textOf(rest).search(/[^ \t\n]/)
  return { ...type, data: start > 0 ? slice(rest, start) : rest }
}

/**
 * Performs a lookup item for a key. The data of a found entry is trusted from here on, as in Exim. What makes the
 * lookup impossible is logged: whoever tested the list says no more than that it could not be told.
 */
export function performLookup(item: LookupItem, key: Text, run: Run): Awaitable<LookupResult> {
  return after(lookupOf(item, key, run), (result) => {
    if (result.is === 'failure') run.context.ports.log.panic(run.context.message?.id, result.message)
    return result
  })
}

function lookupOf(item: LookupItem, key: Text, run: Run): Awaitable<LookupResult> {
  const query = item.style === 'query'
  if (!query) {
    const bad = unquotedTaint(item.data)
    if (bad !== undefined) {
      return { is: 'failure', message: `Tainted filename '${textOf(item.data)}' (from ${bad.origin})` }
    }
  }
  const request: LookupRequest = {
    type: item.name,
    partial: item.partial,
    star: item.star,
    options: item.options,
    file: query ? undefined : item.data,
    key: query ? item.data : key,
  }
  return run.context.ports.lookup(request, run.context)
}

/**
 * Compiles a lookup by a key made from the subject; undefined when the text is no lookup.
 * @param captures whether a match sets `$0`, `$1` ...
 */
export function lookupItem<S extends Subject>(
  text: Text,
  keyFor: (subject: S) => Text,
  captures = false,
): Match<S> | undefined {
  const item = parseLookupItem(text)
  if (item === undefined) return undefined
  if ('error' in item) return failing(item.error)
  return (subject, run) => {
    const key = keyFor(subject)
    const settle = (result: LookupResult): ItemResult => {
      if (captures && result.is === 'found' && item.style === 'single')
        setCaptures(
          run.context,
          result.wildLength === undefined && item.partial === undefined
            ? [key]
            : partialCaptures(key, result),
        )
      return asItemResult(result)
    }
    const found = performLookup(item, key, run)
    return found instanceof Promise ? found.then(settle) : settle(found)
  }
}

/** What a lookup's result means for the item. */
export function asItemResult(result: LookupResult): ItemResult {
  switch (result.is) {
    case 'found':
      return { is: 'match', data: textOf(result.data) }
    case 'none':
      return undefined
    default:
      return { is: result.is, message: result.message }
  }
}
