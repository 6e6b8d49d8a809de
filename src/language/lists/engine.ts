/** Keeps compiled lists, expands and walks them, caches the results of named lists, and tells what it did. */
import type { Expandable } from '../../base/expandable.ts'
import { after, type Awaitable, Failure } from '../../base/outcome.ts'
import { Recent } from '../../base/recent.ts'
import { Tainted, type Text, textOf } from '../../base/text.ts'
import type { Context, HostSubject, ListResult } from '../../ports.ts'
import type { Configuration, ListKind } from '../config/configuration.ts'
import { addressSubject, traceDomains } from './address.ts'
import { type AnyKind, compileAddresses, compileHosts, compileTexts } from './compile.ts'
import { textSubject } from './domain.ts'
import { FileCache } from './file.ts'
import { hostSubject } from './host.ts'
import { setCaptures } from './item.ts'
import {
  type AddressSubject,
  type CompiledList,
  type CompileOptions,
  type HostListSubject,
  type ItemResult,
  type ListEngine,
  type Run,
  type Subject,
  type SubjectOf,
  type TextSubject,
  type Verdict,
  walk,
} from './list.ts'
import { NamedCache } from './named-cache.ts'
import { splitList } from './split.ts'

/** Named lists, sublists and expansions may call each other this deep. */
const DEEPEST = 20
/** Texts that are no part of the configuration are kept compiled up to this length and number. */
const LONGEST_KEPT = 8 * 1024
const MOST_KEPT = 200

export interface MatchOptions {
  readonly caseful?: boolean
  readonly addressesOnly?: boolean
}

/** A list compiled for the kind that its variant names, ready to be walked. */
type Ready =
  | { readonly kind: 'text'; readonly list: CompiledList<TextSubject> }
  | { readonly kind: 'address'; readonly list: CompiledList<AddressSubject> }
  | { readonly kind: 'host'; readonly list: CompiledList<HostListSubject> }

/**
 * What is kept with an Expandable: the last text it expanded to, compiled in each way it was asked for. A text
 * without `$` expands to the same each time: Exim manual, "Named list caching".
 */
class Slot {
  readonly constant: boolean
  text: Text | undefined
  /** A promise while a long list is compiled. */
  readonly ready = new Map<string, Awaitable<Ready>>()
  constructor(list: Expandable) {
    this.constant = !list.text.includes('$')
  }
}

export class Engine implements ListEngine {
  readonly #texts = new Recent<string, Awaitable<Ready>>(MOST_KEPT)
  readonly #files = new FileCache<Ready>()
  readonly #cache = new NamedCache()

  /** Compiles the long lists that are written in the configuration, before somebody asks. */
  prepare(configuration: Configuration): void {
    for (const kind of ['host', 'domain', 'address', 'localpart'] as const) {
      for (const { value } of configuration.namedLists[kind].values()) {
        // What an expansion would change is compiled when it is known.
        if (value.text.length < longText || /[$\\]/.test(value.text)) continue
        void readyOf(slotOf(value), value.text, kind, plainOptions)
      }
    }
  }

  matchList(
    kind: AnyKind,
    list: Expandable,
    subject: Text | HostSubject,
    context: Context,
    options: MatchOptions,
  ): Awaitable<ListResult> {
    const run: Run = { context, engine: this, depth: context.listDepth ?? 0 }
    const name = mainOptionName(list, context)
    return after(
      this.#matchExpandable(kind, list, makeSubject(kind, subject, options), run, fullOptions(options), name),
      resultOf,
    )
  }

  matchListText(
    kind: AnyKind,
    list: Text,
    subject: Text | HostSubject,
    context: Context,
    options: MatchOptions,
  ): Awaitable<ListResult> {
    const run: Run = { context, engine: this, depth: context.listDepth ?? 0 }
    const full = fullOptions(options)
    return after(
      this.#walk(this.#compileText(kind, list, full), list, makeSubject(kind, subject, options), run),
      resultOf,
    )
  }

  matchText<K extends ListKind>(
    kind: K,
    list: Text,
    subject: SubjectOf<K>,
    run: Run,
    options: CompileOptions,
  ): Awaitable<Verdict> {
    return this.#walk(this.#compileText(kind, list, options), list, subject, deeper(run))
  }

  matchNamed<K extends ListKind>(
    kind: K,
    name: string,
    subject: SubjectOf<K>,
    run: Run,
    options: CompileOptions = plainOptions,
  ): Awaitable<ItemResult> {
    const { context } = run
    const named = context.server.configuration.namedLists[kind].get(name)
    if (named === undefined) {
      const message = `unknown named ${kind === 'localpart' ? 'local part' : kind} list "+${name}"`
      context.ports.log.panic(context.message?.id, message)
      return { is: 'failure', message }
    }
    const cache = named.cached || slotOf(named.value).constant ? this.#cache.of(kind, context) : undefined
    const known = cache?.get(named, subject.cacheKey)
    if (known !== undefined) {
      if (known.is === 'no') return undefined
      if (known.captures !== undefined) setCaptures(context, known.captures)
      return { is: 'match', data: known.data, how: '- cached' }
    }
    const before = cache === undefined ? [] : [...context.captures]
    return after(
      this.#matchExpandable(kind, named.value, subject, deeper(run), options, undefined),
      ({ result }): ItemResult => {
        if (result.is === 'no') cache?.put(named, subject.cacheKey, result)
        if (result.is === 'match' && cache !== undefined) {
          const { captures } = context
          const set = captures.length !== before.length || captures.some((text, i) => text !== before[i])
          cache.put(named, subject.cacheKey, set ? { ...result, captures: [...captures] } : result)
        }
        return result.is === 'no' ? undefined : result
      },
    )
  }

  matchFile<K extends ListKind>(
    kind: K,
    path: string,
    subject: SubjectOf<K>,
    run: Run,
    options: CompileOptions,
  ): Awaitable<ItemResult> {
    const inFile = { ...options, inFile: true }
    const ready = this.#files.get(path, kind, variantOf('', inFile), run.context.ports.files, (lines) =>
      compile(kind, lines, inFile),
    )
    if ('error' in ready) {
      const message = `failed to open ${path} when checking "${path}": ${ready.error}`
      run.context.ports.log.panic(run.context.message?.id, message)
      return { is: 'failure', message }
    }
    const walked = after(ready, (made) => walkReady(made, subject, { ...run, depth: run.depth + 1 }))
    return after(walked, (verdict): ItemResult => {
      if (verdict.atEnd) return { is: 'passed', endsNegated: verdict.endsNegated }
      if (verdict.result.is === 'match') {
        return { is: 'match', data: verdict.result.data, how: inWords(verdict, path) }
      }
      if (verdict.forced === true) return { is: 'forced', why: verdict.why }
      if (verdict.result.is === 'no') {
        return { is: 'match', data: verdict.data, inverted: true, how: inWords(verdict, path) }
      }
      return verdict.result
    })
  }

  /** Expands a list, if it must be, and walks it. */
  #matchExpandable(
    kind: AnyKind,
    list: Expandable,
    subject: Subject,
    run: Run,
    options: CompileOptions,
    name: string | undefined,
  ): Awaitable<Verdict> {
    if (run.depth > DEEPEST) {
      return refused(`lists refer to each other more than ${DEEPEST} deep while checking "${list.text}"`)
    }
    const slot = slotOf(list)
    const { context } = run
    if (slot.text !== undefined && slot.constant) {
      return this.#walk(readyOf(slot, slot.text, kind, options), slot.text, subject, run, name)
    }
    const inner = { ...context, listDepth: run.depth + 1 }
    return after(context.ports.expand(list, inner), (expanded) => {
      if (expanded instanceof Failure) return failedToExpand(list, expanded, context)
      return this.#walk(readyOf(slot, expanded, kind, options), expanded, subject, run, name)
    })
  }

  #walk(ready: Awaitable<Ready>, list: Text, subject: Subject, run: Run, name?: string): Awaitable<Verdict> {
    const { debug } = run.context
    if (run.depth > DEEPEST) return refused(`lists refer to each other more than ${DEEPEST} deep`)
    if (ready instanceof Promise) return ready.then((made) => this.#walk(made, list, subject, run, name))
    return after(walkReady(ready, subject, run), (done) => {
      if (debug !== undefined) tell(ready, list, subject, done, debug, name)
      if (done.log !== undefined) run.context.ports.log.main(undefined, done.log)
      return done
    })
  }

  /** Compiles a text that is expanded already; the recent ones are kept. */
  #compileText(kind: AnyKind, list: Text, options: CompileOptions): Awaitable<Ready> {
    if (list instanceof Tainted || list.length > LONGEST_KEPT) return compile(kind, splitList(list), options)
    const key = `${variantOf(kind, options)} ${list}`
    let ready = this.#texts.get(key)
    if (ready === undefined) {
      ready = compile(kind, splitList(list), options)
      this.#texts.set(key, ready)
    }
    return ready
  }
}

/** The line that `-bh` shows for a list: `host in "10.0.0.0/8"? yes (matched "10.0.0.0/8")`. */
function tell(
  ready: Ready,
  list: Text,
  subject: Subject,
  done: Verdict,
  debug: NonNullable<Context['debug']>,
  name: string | undefined,
): void {
  const { is } = done.result
  if (ready.kind === 'address') traceDomains(ready.list, subject, done.item, debug)
  if (is !== 'match' && is !== 'no') return
  // A list of one item that was made for the purpose has a newline as separator: nobody wrote that.
  const where = name ?? `"${textOf(list).replace(/^<\n/, '')}"`
  debug('lists', `${subject.label} in ${where}? ${is === 'match' ? 'yes' : 'no'} (${done.why})`)
}

const plainOptions: CompileOptions = { caseful: false, addressesOnly: false, inFile: false }

/** Debugging names a list that a main option holds by the option, any other by its text. */
function mainOptionName(list: Expandable, { debug, settings }: Context): string | undefined {
  if (debug === undefined || list.name === '') return undefined
  const own = Object.getOwnPropertyDescriptor(settings, list.name)
  return own?.value === list ? list.name : undefined
}

function fullOptions(options: MatchOptions): CompileOptions {
  if (options.caseful !== true && options.addressesOnly !== true) return plainOptions
  return { ...plainOptions, ...options }
}

function slotOf(list: Expandable): Slot {
  if (list.compiledList instanceof Slot) return list.compiledList
  const slot = new Slot(list)
  list.compiledList = slot
  return slot
}

function variantOf(kind: string, options: CompileOptions): string {
  return `${kind}${options.caseful ? ' caseful' : ''}${options.addressesOnly ? ' addresses' : ''}`
}

function readyOf(slot: Slot, text: Text, kind: AnyKind, options: CompileOptions): Awaitable<Ready> {
  // Tainted texts are compared by identity: the same words may carry other taint.
  if (slot.text !== text) {
    slot.text = text
    slot.ready.clear()
  }
  const variant = variantOf(kind, options)
  const known = slot.ready.get(variant)
  if (known !== undefined) return known
  const made = compile(kind, splitList(text), options)
  slot.ready.set(variant, made)
  if (made instanceof Promise) {
    const settle = (done: Ready): void => {
      if (slot.ready.get(variant) === made) slot.ready.set(variant, done)
    }
    // Who asks hears of a fault.
    made.then(settle, () => undefined)
  }
  return made
}

function compile(kind: AnyKind, items: Iterable<Text>, options: CompileOptions): Awaitable<Ready> {
  switch (kind) {
    case 'host':
      return after(compileHosts(items, options), (list) => ({ kind: 'host', list }))
    case 'address':
      return after(compileAddresses(items, options), (list) => ({ kind: 'address', list }))
    default:
      return after(compileTexts(kind, items, options), (list) => ({ kind: 'text', list }))
  }
}

/** Lists shorter than this are compiled when they are first asked. */
const longText = 20_000

function makeSubject(kind: AnyKind, subject: Text | HostSubject, options: MatchOptions): Subject {
  if (typeof subject === 'object' && !(subject instanceof Tainted)) {
    const host = hostSubject(subject.address, subject.name)
    // `match_ip` is about an address, not about the client.
    return options.addressesOnly === true ? { ...host, label: host.address ?? '' } : host
  }
  return kind === 'address' ? addressSubject(subject) : textSubject(subject)
}

function walkReady(ready: Ready, subject: Subject, run: Run): Awaitable<Verdict> {
  // The subject was made for the same kind of list as `ready`, in makeSubject or by an item of that kind.
  switch (ready.kind) {
    case 'host':
      return walk(ready.list, subject as HostListSubject, run)
    case 'address':
      return walk(ready.list, subject as AddressSubject, run)
    case 'text':
      return walk(ready.list, subject as TextSubject, run)
  }
}

function deeper({ context, engine, depth }: Run): Run {
  return { context, engine, depth: depth + 1 }
}

function resultOf(verdict: Verdict): ListResult {
  return verdict.result
}

function inWords(verdict: Verdict, path: string): string {
  const item = /^matched (".*")/s.exec(verdict.why)
  return `in ${path}${item === null ? '' : `: ${item[1] ?? ''}`}`
}

function refused(message: string): Verdict {
  return { result: { is: 'failure', message }, why: message, endsNegated: false, atEnd: false }
}

/** Exim manual, "Expansion of lists": a forced failure means that the subject is not in the list. */
function failedToExpand(list: Expandable, failure: Failure, context: Context): Verdict {
  if (failure.kind === 'forced') {
    const why = `expansion of "${list.text}" forced failure: assume not in this list`
    context.debug?.('lists', why)
    return { result: { is: 'no' }, why, endsNegated: false, atEnd: false }
  }
  const message = `failed to expand "${list.text}" while checking a list: ${failure.message}`
  context.ports.log.panic(context.message?.id, message)
  const is = failure.kind === 'defer' ? 'defer' : 'failure'
  return { result: { is, message: failure.message }, why: message, endsNegated: false, atEnd: false }
}
