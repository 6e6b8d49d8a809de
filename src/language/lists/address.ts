/** Items of address lists. Source: Exim manual, "Address lists". */
import { after, type Awaitable } from '../../base/outcome.ts'
import { asciiLower, concat, slice, textOf, type Text } from '../../base/text.ts'
import { domainItem, textSubject } from './domain.ts'
import { failing, regexItem, signOf } from './item.ts'
import type {
  AddressSubject,
  CompiledList,
  CompileOptions,
  ItemIndex,
  ItemResult,
  Match,
  Run,
  Subject,
} from './list.ts'
import type { Context } from '../../ports.ts'
import { type LookupItem, parseLookupItem, performLookup } from './lookup.ts'
import { asItemResult } from './lookup.ts'
import { splitList } from './split.ts'
import { TextIndex } from './text-index.ts'

/** Chained local part lists are followed no further: Exim manual, "Address lists". */
const LONGEST_CHAIN = 50

export function addressSubject(text: Text): AddressSubject {
  const raw = textOf(text)
  const at = raw.lastIndexOf('@')
  const domain = at < 0 ? '' : asciiLower(raw.slice(at + 1))
  return {
    raw,
    lower: asciiLower(raw),
    at,
    localPart: at < 0 ? raw : raw.slice(0, at),
    domain,
    label: raw,
    cacheKey: raw,
  }
}

/** Whole addresses and domains in tables. */
export class AddressIndex implements ItemIndex<AddressSubject> {
  readonly #caseless = new Map<string, number>()
  readonly #caseful = new Map<string, number>()
  readonly #domains = new TextIndex()
  #empty = Number.POSITIVE_INFINITY

  /** Takes the item when it is plain. */
  add(item: string, position: number, caseful: boolean): boolean {
    if (item === '') {
      this.#empty = Math.min(this.#empty, position)
      return true
    }
    const { localPart, domain } = splitPattern(item)
    if (domain === '' || /^[\^+@]|;/.test(domain)) return false
    if (localPart === undefined || localPart === '*') {
      if (domain.startsWith('*')) this.#domains.addSuffix(asciiLower(domain.slice(1)), position)
      else this.#domains.addExact(asciiLower(domain), position)
      return true
    }
    if (localPart.startsWith('*') || domain.startsWith('*')) return false
    const table = caseful ? this.#caseful : this.#caseless
    const key = `${caseful ? localPart : asciiLower(localPart)}@${asciiLower(domain)}`
    if (!table.has(key)) table.set(key, position)
    return true
  }

  find(subject: AddressSubject): number {
    if (subject.raw === '') return this.#empty
    if (subject.at < 0) return Number.POSITIVE_INFINITY
    let best = Math.min(
      this.#domains.find(subject.domain),
      this.#caseless.get(subject.lower) ?? Number.POSITIVE_INFINITY,
    )
    if (this.#caseful.size > 0) {
      best = Math.min(best, this.#caseful.get(restored(subject)) ?? Number.POSITIVE_INFINITY)
    }
    return best
  }
}

/** What an item that the index answers for gives as data: a bare domain counts as if it had an empty local part. */
export function addressData(item: Text): Text {
  const bytes = textOf(item)
  return bytes === '' || bytes.includes('@') ? item : concat(['@', item])
}

/** The address with its local part as it came and its domain in lower case. */
function restored(subject: AddressSubject): string {
  return subject.at < 0 ? subject.raw : `${subject.localPart}@${subject.domain}`
}

/** Splits `local@domain` at the last @ that does not belong to a domain item such as `@` or `@mx_any`. */
function splitPattern(item: string): { readonly localPart: string | undefined; readonly domain: string } {
  let at = item.lastIndexOf('@')
  if (at < 0) return { localPart: undefined, domain: item }
  if (at > 0 && item[at - 1] === '@') at--
  return { localPart: item.slice(0, at), domain: item.slice(at + 1) }
}

/**
 * Compiles one item of an address list that is not plain; undefined: the index takes it.
 * @param text the item without its exclamation mark
 */
export function addressItem(text: Text, options: CompileOptions): Match<AddressSubject> | undefined {
  const bytes = textOf(text)
  const { caseful } = options
  if (bytes.startsWith('^')) {
    const whole = (subject: AddressSubject): Text => (caseful ? restored(subject) : subject.raw)
    const match = regexItem(bytes, caseful, whole, { captures: false, data: undefined })
    return (subject, run) => (isUnqualified(subject) ? reportNoAt(subject, bytes, run) : match(subject, run))
  }
  const sign = signOf(text)
  if (sign === '+') {
    const name = bytes.slice(1)
    return (subject, run) => run.engine.matchNamed('address', name, subject, run)
  }
  if (sign === '/' && !options.inFile) {
    return (subject, run) => run.engine.matchFile('address', bytes, subject, run, options)
  }
  if (sign === '@' && bytes.startsWith('@@')) {
    const lookup = parseLookupItem(slice(text, 2))
    if (lookup !== undefined && 'error' in lookup) return failing(lookup.error)
    if (lookup !== undefined) return (subject, run) => matchByDomain(lookup, subject, run, options)
  }
  const lookup = parseLookupItem(text)
  if (lookup !== undefined) {
    // `bob@lsearch;/file` is a local part and a domain that is looked up. A type with options or an affix of its own
    // Exim does not know as one for whole addresses: the domain is looked up.
    const type = bytes.slice(0, bytes.indexOf(';'))
    const hasParts =
      ('error' in lookup && type.includes('@')) ||
      (!('error' in lookup) && lookup.style === 'single' && /[(,]/.test(type))
    if (!hasParts)
      return 'error' in lookup ? failing(lookup.error) : wholeAddressLookup(lookup, bytes, caseful)
  }
  return partsItem(text, options)
}

/** Nothing matches what has no @ and is not empty. */
function isUnqualified(subject: AddressSubject): boolean {
  return subject.at < 0 && subject.raw !== ''
}

/** The complete address is the key. */
function wholeAddressLookup(lookup: LookupItem, shown: string, caseful: boolean): Match<AddressSubject> {
  return (subject, run) => {
    if (isUnqualified(subject)) return reportNoAt(subject, shown, run)
    if (lookup.partial !== undefined) {
      run.context.ports.log.panic(
        undefined,
        `partial matching is not applicable to whole-address lookups: ignored "partial-" in "${shown}"`,
      )
    }
    const key = caseful ? restored(subject) : subject.lower
    return after(performLookup({ ...lookup, partial: undefined }, key, run), asItemResult)
  }
}

/** `local@domain` where one of the two is more than a plain name. */
function partsItem(text: Text, options: CompileOptions): Match<AddressSubject> | undefined {
  const bytes = textOf(text)
  const { localPart, domain } = splitPattern(bytes)
  // The index takes what it can; it is asked with the same rule.
  if (bytes === '') return undefined
  if (domain === '') return () => undefined
  const plainDomain = !/^[\^+@]|;/.test(domain)
  if (plainDomain && (localPart === undefined || localPart === '*')) return undefined
  if (plainDomain && !localPart?.startsWith('*') && !domain.startsWith('*')) return undefined
  const start = localPart === undefined ? 0 : localPart.length + 1
  const domainText = slice(text, start)
  const special = domainItem(domainText, { ...options, inFile: true })
  const wanted = localPart === undefined ? '*' : options.caseful ? localPart : asciiLower(localPart)
  return (subject, run) => {
    if (subject.at < 0) return reportNoAt(subject, bytes, run)
    const ours = options.caseful ? subject.localPart : asciiLower(subject.localPart)
    const same = wanted.startsWith('*') ? ours.endsWith(wanted.slice(1)) : ours === wanted
    if (!same) return undefined
    if (special === undefined) {
      return samePlainDomain(domain, subject.domain) ? { is: 'match', data: addressData(text) } : undefined
    }
    return after(special(textSubject(subject.domain), run), (result) => {
      if (result?.is !== 'match') {
        run.context.debug?.('lists', `${subject.domain} in "${domain}"? no (end of list)`)
        return result
      }
      const how = result.how === undefined ? '' : ` ${result.how}`
      run.context.debug?.('lists', `${subject.domain} in "${domain}"? yes (matched "${domain}"${how})`)
      return {
        ...result,
        data: concat([localPart === undefined ? '@' : slice(text, 0, start), result.data ?? '']),
      }
    })
  }
}

function samePlainDomain(pattern: string, domain: string): boolean {
  const lower = asciiLower(pattern)
  return lower.startsWith('*') ? domain.endsWith(lower.slice(1)) : domain === lower
}

function reportNoAt(subject: AddressSubject, pattern: string, run: Run): undefined {
  if (subject.raw === '') return undefined
  run.context.ports.log.panic(
    undefined,
    `no @ found in the subject of an address list match: subject="${subject.raw}" pattern="${pattern}"`,
  )
  return undefined
}

/** `@@lookup`: the domain is the key of a list of local parts, which may go on in another entry. */
function matchByDomain(
  lookup: LookupItem,
  subject: AddressSubject,
  run: Run,
  options: CompileOptions,
): Awaitable<ItemResult> {
  if (subject.at < 0) return undefined
  const follow = (key: string, links: number): Awaitable<ItemResult> =>
    after(performLookup(lookup, key, run), (found) => {
      if (found.is !== 'found') return asItemResult(found)
      const items = splitList(textOf(found.data))
      const last = textOf(items.at(-1) ?? '')
      const chain = lookup.style === 'single' && last.startsWith('>') ? last.slice(1).trim() : undefined
      const list = joinItems(chain === undefined ? items : items.slice(0, -1))
      return after(
        run.engine.matchText('localpart', list, textSubject(subject.localPart), run, options),
        (verdict): Awaitable<ItemResult> => {
          if (verdict.atEnd && chain !== undefined) {
            if (links >= LONGEST_CHAIN)
              return { is: 'failure', message: `Loop detected in lookup of local part of ${subject.raw}` }
            return follow(chain, links + 1)
          }
          // A negated item at the end makes no match of what no item matched.
          if (verdict.atEnd) return undefined
          if (verdict.result.is === 'match') return { is: 'match', data: verdict.result.data }
          return verdict.result.is === 'no' ? undefined : verdict.result
        },
      )
    })
  return follow(subject.domain, 1)
}

/** A list from items; each colon inside one is doubled. */
function joinItems(items: readonly Text[]): string {
  return items.map((item) => textOf(item).replaceAll(':', '::')).join(' : ')
}

/**
 * Tells, for debugging, how the domain parts of plain items compared: Exim matches each as a list of its own.
 * @param until the item that decided
 */
export function traceDomains(
  list: CompiledList<AddressSubject>,
  subject: Subject,
  until: object | undefined,
  debug: NonNullable<Context['debug']>,
): void {
  const { raw, localPart, domain } = addressSubject(subject.label)
  if (raw === '') return
  for (const item of list.items) {
    const pattern = item.negated ? item.shown.slice(1).trimStart() : item.shown
    if (!/^[\^+/]/.test(pattern) && !/^[^@]*;/.test(pattern)) {
      const wanted = splitPattern(pattern)
      const local = asciiLower(wanted.localPart ?? '*')
      const ours = asciiLower(localPart)
      const goesOn = local.startsWith('*') ? ours.endsWith(local.slice(1)) : ours === local
      const special = /^[\^+@]|;/.test(wanted.domain)
      if (goesOn && !special) {
        const same = wanted.domain !== '' && samePlainDomain(wanted.domain, domain)
        debug(
          'lists',
          `${domain} in "${wanted.domain}"? ${same ? `yes (matched "${wanted.domain}")` : 'no (end of list)'}`,
        )
      }
    }
    if (item === until) return
  }
}
