/** From the text of a list to its compiled form. */
import type { Awaitable } from '../../base/outcome.ts'
import { slice, textOf, type Text } from '../../base/text.ts'
import type { ListKind } from '../config/configuration.ts'
import { AddressIndex, addressData, addressItem } from './address.ts'
import { domainItem, PlainIndex } from './domain.ts'
import { HostIndex, hostItem } from './host.ts'
import { signOf } from './item.ts'
import type {
  AddressSubject,
  CompiledList,
  CompileOptions,
  HostListSubject,
  ItemIndex,
  ListItem,
  Match,
  TextSubject,
} from './list.ts'
import { localPartItem, stringItem } from './local-part.ts'

/** How the items of one kind of list are compiled: into the index, or to a function. */
interface Compiler<S> {
  readonly index: ItemIndex<S>
  /** True when `+caseful` changes what follows. */
  readonly knowsCaseful: boolean
  readonly knowsHostSigns: boolean
  /** Undefined: the index has taken it. */
  item(text: Text, position: number, options: CompileOptions): Match<S> | undefined
  data(text: Text, options: CompileOptions): Text | undefined
}

export type AnyKind = ListKind | 'string'

export function compileTexts(
  kind: 'domain' | 'localpart' | 'string',
  items: Iterable<Text>,
  options: CompileOptions,
): Awaitable<CompiledList<TextSubject>> {
  const index = new PlainIndex()
  const special = kind === 'domain' ? domainItem : kind === 'localpart' ? localPartItem : stringItem
  return compileItems(items, options, {
    index,
    knowsCaseful: kind === 'localpart',
    knowsHostSigns: false,
    item(text, position, itemOptions) {
      const match = special(text, itemOptions)
      if (match === undefined) index.add(textOf(text), position, itemOptions.caseful)
      return match
    },
    data: (text) => text,
  })
}

export function compileAddresses(
  items: Iterable<Text>,
  options: CompileOptions,
): Awaitable<CompiledList<AddressSubject>> {
  const index = new AddressIndex()
  return compileItems(items, options, {
    index,
    knowsCaseful: true,
    knowsHostSigns: false,
    item(text, position, itemOptions) {
      const match = addressItem(text, itemOptions)
      if (match !== undefined) return match
      return index.add(textOf(text), position, itemOptions.caseful) ? undefined : () => undefined
    },
    // Lines of a file are given as they stand: observed of Exim 4.96.
    data: (text, itemOptions) => (itemOptions.inFile ? text : addressData(text)),
  })
}

export function compileHosts(
  items: Iterable<Text>,
  options: CompileOptions,
): Awaitable<CompiledList<HostListSubject>> {
  const index = new HostIndex()
  return compileItems(items, options, {
    index,
    knowsCaseful: false,
    knowsHostSigns: !options.inFile,
    item(text, position, itemOptions) {
      return index.add(textOf(text), position) ? undefined : hostItem(text, itemOptions)
    },
    // Addresses written in the list give no data; lines of a file do. Observed of Exim 4.96.
    data: (text, itemOptions) => (itemOptions.inFile ? text : undefined),
  })
}

/** So many items are compiled in one go; of a longer list, others have their turn in between. */
const sliceItems = 10_000

function compileItems<S>(
  texts: Iterable<Text>,
  given: CompileOptions,
  compiler: Compiler<S>,
): Awaitable<CompiledList<S>> {
  const steps = compileSteps(texts, given, compiler)
  const first = steps.next()
  return first.done === true ? first.value : inTurns(steps)
}

async function inTurns<T>(steps: Generator<undefined, T>): Promise<T> {
  for (;;) {
    await new Promise((resolve) => setImmediate(resolve))
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

function* compileSteps<S>(
  texts: Iterable<Text>,
  given: CompileOptions,
  compiler: Compiler<S>,
): Generator<undefined, CompiledList<S>> {
  const items: ListItem<S>[] = []
  const others: number[] = []
  let options = given
  let whenUnknown: ListItem<S>['whenUnknown'] = 'no'
  let whenDeferred: ListItem<S>['whenDeferred'] = 'defer'
  for (const whole of texts) {
    const negated = signOf(whole) === '!'
    const text = negated ? withoutSign(whole) : whole
    const shown = textOf(whole)
    if (!negated && shown.startsWith('+') && signOf(text) === '+') {
      if (compiler.knowsCaseful && shown === '+caseful') {
        options = { ...options, caseful: true }
        continue
      }
      const sign = compiler.knowsHostSigns ? /^\+(include|ignore)_(unknown|defer)$/.exec(shown) : null
      if (sign !== null) {
        const what = sign[1] === 'include' ? 'include' : 'ignore'
        if (sign[2] === 'unknown') whenUnknown = what
        else whenDeferred = what
        continue
      }
    }
    const position = items.length
    const match = compiler.item(text, position, options)
    if (match !== undefined) others.push(position)
    items.push({
      shown,
      negated,
      match,
      data: match === undefined ? compiler.data(text, options) : undefined,
      whenUnknown,
      whenDeferred,
    })
    if (items.length % sliceItems === 0) yield undefined
  }
  return { items, index: compiler.index, others }
}

function withoutSign(text: Text): Text {
  const bytes = textOf(text)
  let start = 1
  while (bytes[start] === ' ' || bytes[start] === '\t' || bytes[start] === '\n') start++
  return slice(text, start)
}
