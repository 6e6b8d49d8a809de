/** A compiled list and the walk over it, alike for all kinds of list. */
import type { Awaitable } from '../../base/outcome.ts'
import type { Text } from '../../base/text.ts'
import type { ListKind } from '../config/configuration.ts'
import type { Context, ListResult } from '../../ports.ts'

/** What one item says of a subject; undefined: it does not match. */
export type ItemResult =
  | undefined
  | {
      readonly is: 'match'
      readonly data: Text | undefined
      /** The line of a file that matched was itself negated. */
      readonly inverted?: boolean
      /** For debugging: the item of the file, or that a cached result was used. */
      readonly how?: string
    }
  /** A file without a match; what its last line was decides when the list ends here. */
  | { readonly is: 'passed'; readonly endsNegated: boolean }
  /** A host name or address that does not exist: `+include_unknown` and its kin say what it means. */
  | { readonly is: 'unknown'; readonly why: string }
  | { readonly is: 'forced'; readonly why: string }
  | { readonly is: 'defer'; readonly message: string }
  | { readonly is: 'failure'; readonly message: string }

export type Match<S> = (subject: S, run: Run) => Awaitable<ItemResult>

export interface ListItem<S> {
  /** As written, with its exclamation mark. */
  readonly shown: string
  readonly negated: boolean
  /** Undefined: the index answers for it. */
  readonly match: Match<S> | undefined
  /** What a match through the index gives as data. */
  readonly data: Text | undefined
  /** What to do when a name cannot be found, or not now: set by the `+..._unknown` and `+..._defer` before it. */
  readonly whenUnknown: 'no' | 'include' | 'ignore'
  readonly whenDeferred: 'defer' | 'include' | 'ignore'
}

/** What all subjects have. */
export interface Subject {
  /** For debugging lines: `host`, or the text itself. */
  readonly label: string
  /** For the cache of named lists. */
  readonly cacheKey: string
}

/** One check of a list: what its items may use. */
export interface Run {
  readonly context: Context
  readonly engine: ListEngine
  /** How many named lists, expansions and sublists we are in. */
  readonly depth: number
  /** Of the item that is a file. */
  readonly whenUnknown?: 'include' | 'ignore'
}

/** What items of one list may ask of the whole engine. */
export interface ListEngine {
  matchNamed<K extends ListKind>(
    kind: K,
    name: string,
    subject: SubjectOf<K>,
    run: Run,
    options?: CompileOptions,
  ): Awaitable<ItemResult>
  matchText<K extends ListKind>(
    kind: K,
    list: Text,
    subject: SubjectOf<K>,
    run: Run,
    options: CompileOptions,
  ): Awaitable<Verdict>
  /** The lines of a file, compiled and kept until the file changes. */
  matchFile<K extends ListKind>(
    kind: K,
    path: string,
    subject: SubjectOf<K>,
    run: Run,
    options: CompileOptions,
  ): Awaitable<ItemResult>
}

export interface TextSubject extends Subject {
  readonly text: Text
  readonly raw: string
  readonly lower: string
}
export interface AddressSubject extends Subject {
  readonly raw: string
  readonly lower: string
  /** Undefined without an @. The domain is in lower case. */
  readonly at: number
  readonly localPart: string
  readonly domain: string
}
export interface HostListSubject extends Subject {
  readonly address: string | undefined
  readonly name: string | undefined
}
export type SubjectOf<K extends ListKind> = K extends 'host'
  ? HostListSubject
  : K extends 'address'
    ? AddressSubject
    : TextSubject

export interface CompileOptions {
  readonly caseful: boolean
  /** `match_ip`: no names are looked up. */
  readonly addressesOnly: boolean
  /** Lines of a file: no further files, no `+include_unknown`. */
  readonly inFile: boolean
}

/** Finds the first indexed item that matches. */
export interface ItemIndex<S> {
  /** Its position, or Infinity. */
  find(subject: S): number
  /** Called when the item at `position` decides, to set `$0` and `$1`. */
  capture?(subject: S, item: ListItem<S>, context: Context): void
}

export interface CompiledList<S> {
  readonly items: readonly ListItem<S>[]
  readonly index: ItemIndex<S>
  /** Positions of items that the index does not answer for, ascending. */
  readonly others: readonly number[]
}

/** What came of a walk: the answer and, for debugging, why. */
export interface Verdict {
  readonly result: ListResult
  /** `matched "*.example"`, `end of list`. */
  readonly why: string
  /** A positive item decided or the end was reached after a positive one. */
  readonly endsNegated: boolean
  readonly atEnd: boolean
  /** A name could not be found: the whole list does not match, whatever stands around it. */
  readonly forced?: true
  /** For the main log, once the result is told. */
  readonly log?: string | undefined
  /** The item that decided; undefined: the end of the list did. */
  readonly item?: object
  /** What the item that decided gives as data, a negated one too. */
  readonly data?: Text | undefined
}

const NO: ListResult = { is: 'no' }

/**
 * Walks a list from left to right: the first item that matches decides; at the end of the list the subject is
 * in it when the last item was a negative one. Plain items are found through the index.
 * Source: Exim manual, "Negated items in lists".
 */
export function walk<S extends Subject>(list: CompiledList<S>, subject: S, run: Run): Awaitable<Verdict> {
  const indexed = list.index.find(subject)
  return walkOthers(list, subject, run, indexed, 0, undefined)
}

function walkOthers<S extends Subject>(
  list: CompiledList<S>,
  subject: S,
  run: Run,
  indexed: number,
  from: number,
  fileEnd: boolean | undefined,
): Awaitable<Verdict> {
  let endOfFile = fileEnd
  for (let i = from; i < list.others.length; i++) {
    const position = list.others[i] ?? 0
    if (position > indexed) break
    const item = list.items[position]
    if (item?.match === undefined) continue
    const result = item.match(
      subject,
      item.whenUnknown === 'no' ? run : { ...run, whenUnknown: item.whenUnknown },
    )
    if (result instanceof Promise) {
      return result.then((late) => {
        const verdict = judge(item, late, run)
        if (verdict !== undefined) return verdict
        return walkOthers(list, subject, run, indexed, i + 1, passedEnd(list, position, late))
      })
    }
    const verdict = judge(item, result, run)
    if (verdict !== undefined) return verdict
    endOfFile = passedEnd(list, position, result)
  }
  const item = indexed === Number.POSITIVE_INFINITY ? undefined : list.items[indexed]
  if (item !== undefined) {
    if (!item.negated) list.index.capture?.(subject, item, run.context)
    return decided(item, item.data, undefined, false)
  }
  const last = list.items.at(-1)
  const endsNegated = endOfFile ?? last?.negated ?? false
  return {
    result: endsNegated ? { is: 'match', data: undefined } : NO,
    why: 'end of list',
    endsNegated,
    atEnd: true,
  }
}

/** Undefined: go on with the next item. */
function judge<S>(item: ListItem<S>, result: ItemResult, run: Run): Verdict | undefined {
  if (result === undefined || result.is === 'passed') return undefined
  switch (result.is) {
    case 'match':
      return decided(item, result.data, result.how, result.inverted ?? false)
    case 'unknown':
      return judgeUnknown(item, result.why, run)
    case 'forced':
      return { result: NO, why: result.why, endsNegated: false, atEnd: false, forced: true }
    case 'defer':
      if (item.whenDeferred === 'ignore') {
        run.context.debug?.('lists', `${result.message}: item ignored by +ignore_defer`)
        return undefined
      }
      if (item.whenDeferred === 'include') {
        return {
          result: { is: 'match', data: undefined },
          why: result.message,
          log: `${result.message}: accepted by +include_defer`,
          endsNegated: false,
          atEnd: false,
        }
      }
      return { result, why: result.message, endsNegated: false, atEnd: false }
    case 'failure':
      return broken(result.message)
  }
  return undefined
}

/** Exim manual, "Behaviour when an IP address or name cannot be found". */
function judgeUnknown<S>(item: ListItem<S>, why: string, run: Run): Verdict | undefined {
  const { debug, ports } = run.context
  // In a file holds what was said before it.
  const whenUnknown = run.whenUnknown ?? item.whenUnknown
  if (whenUnknown === 'ignore') {
    debug?.('lists', `${why}: item ignored by +ignore_unknown`)
    return undefined
  }
  if (whenUnknown === 'include') {
    const log = `${why}: accepted by +include_unknown`
    return { result: { is: 'match', data: undefined }, why, log, endsNegated: false, atEnd: false }
  }
  const log = ports.log.selects('unknown_in_list') ? `list matching forced to fail: ${why}` : undefined
  return { result: NO, why, log, endsNegated: false, atEnd: false, forced: true }
}

function decided<S>(
  item: ListItem<S>,
  data: Text | undefined,
  how: string | undefined,
  inverted: boolean,
): Verdict {
  return {
    result: item.negated === inverted ? { is: 'match', data } : NO,
    why: `matched "${item.shown}"${how === undefined ? '' : ` ${how}`}`,
    endsNegated: false,
    atEnd: false,
    item,
    data,
  }
}

function broken(message: string): Verdict {
  return { result: { is: 'failure', message }, why: message, endsNegated: false, atEnd: false }
}

/** A file at the end of a list: its last line counts as the list's last item. */
function passedEnd<S>(list: CompiledList<S>, position: number, result: ItemResult): boolean | undefined {
  if (position !== list.items.length - 1 || result?.is !== 'passed') return undefined
  return (list.items[position]?.negated ?? false) !== result.endsNegated
}
