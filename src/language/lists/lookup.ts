/** Items that are lookups: `lsearch;/file`, `partial-cdb;/file`, `pgsql;select ...`. */
import { slice, textOf, unquotedTaint, type Text } from '../../base/text.ts'
import type { Awaitable } from '../../base/outcome.ts'
import type { LookupRequest, LookupResult } from '../../ports.ts'
import { taintedAt } from './split.ts'
import type { ItemResult, Match, Run, Subject } from './list.ts'

/** `type;rest`, taken apart. */
export interface LookupItem {
  readonly type: string
  readonly partial: { readonly least: number; readonly affix: string } | undefined
  readonly star: '*' | '*@' | undefined
  readonly options: string
  readonly queryStyle: boolean
  /** The file of a single-key lookup, the query of the others. */
  readonly data: Text
}

const SHAPE = /^(?:partial(\d*)(?:-|\(([^)]*)\)))?([a-z0-9]+)(\*@?)?(?:,([^;]*))?;/

/** Types whose item holds a whole query; all others look up a key in a file. */
const queryTypes = new Set([
  'dnsdb',
  'ldap',
  'ldapauth',
  'ldapdn',
  'ldapm',
  'mysql',
  'nisplus',
  'oracle',
  'passwd',
  'pgsql',
  'psl',
  'readsock',
  'redis',
  'regdom',
  'spf',
  'sqlite',
  'testdb',
  'whoson',
])

/**
 * Takes a lookup item apart; undefined when the text is none. The type must be the configuration's own words:
 * a lookup that came from outside is a plain item.
 */
export function parseLookupItem(text: Text): LookupItem | undefined {
  const bytes = textOf(text)
  const semicolon = bytes.indexOf(';')
  if (semicolon < 0 || (typeof text !== 'string' && taintedAt(text, semicolon))) return undefined
  const shape = SHAPE.exec(bytes)
  const rest = slice(text, semicolon + 1)
  const [, least, affix = '*.', type, star, options = ''] = shape ?? []
  if (type === undefined) {
    return {
      type: bytes.slice(0, semicolon),
      partial: undefined,
      star: undefined,
      options: '',
      queryStyle: false,
      data: rest,
    }
  }
  return {
    type,
    partial: least === undefined ? undefined : { least: least === '' ? 2 : Number(least), affix },
    star: star === '*' || star === '*@' ? star : undefined,
    options,
    queryStyle: queryTypes.has(type),
    data: skipSpace(rest),
  }
}

function skipSpace(text: Text): Text {
  const start = textOf(text).search(/[^ \t\n]/)
  return start > 0 ? slice(text, start) : text
}

/** Performs a lookup item for a key. The data of a found entry is trusted from here on, as in Exim. */
export function performLookup(item: LookupItem, key: Text, run: Run): Awaitable<LookupResult> {
  if (!item.queryStyle) {
    const bad = unquotedTaint(item.data)
    if (bad !== undefined) {
      return { is: 'failure', message: `Tainted filename '${textOf(item.data)}' (from ${bad.origin})` }
    }
  }
  const request: LookupRequest = {
    type: item.type,
    partial: item.partial,
    star: item.star,
    options: item.options,
    file: item.queryStyle ? undefined : item.data,
    key: item.queryStyle ? item.data : key,
  }
  return run.context.ports.lookup(request, run.context)
}

/** Compiles a lookup by a key made from the subject; undefined when the text is no lookup. */
export function lookupItem<S extends Subject>(
  text: Text,
  keyFor: (subject: S) => Text,
): Match<S> | undefined {
  const item = parseLookupItem(text)
  if (item === undefined) return undefined
  return (subject, run) => {
    const found = performLookup(item, keyFor(subject), run)
    return found instanceof Promise ? found.then(asItemResult) : asItemResult(found)
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
