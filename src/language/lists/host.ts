/** Items of host lists. Source: Exim manual, "Host lists" and the sections after it. */
import { type IpAddress, maskIp, parseIp } from '../../base/ip.ts'
import { after, type Awaitable } from '../../base/outcome.ts'
import { asciiLower, slice, textOf, type Text } from '../../base/text.ts'
import { type HostNames, matchByName, namesOf, normal } from './host-name.ts'
import { failing, signOf } from './item.ts'
import type { CompileOptions, HostListSubject, ItemIndex, ItemResult, Match, Run } from './list.ts'
import { asItemResult, type LookupItem, parseLookupItem, performLookup } from './lookup.ts'
import { formatInFull, NetworkIndex } from '../../base/network-index.ts'
import { compilePattern } from './pattern.ts'

export function hostSubject(address: string | undefined, name: string | undefined): HostListSubject {
  const given = address === '' ? undefined : address
  return {
    address: given === undefined ? undefined : normal(given),
    name,
    label: 'host',
    cacheKey: `${given ?? ''} ${name ?? ''}`,
  }
}

/** Addresses and networks by table; `*`, and the empty item, which is for local input. */
export class HostIndex implements ItemIndex<HostListSubject> {
  readonly #networks = new NetworkIndex()
  #any = Number.POSITIVE_INFINITY
  #local = Number.POSITIVE_INFINITY

  /** Takes the item when it is one of those. */
  add(item: string, position: number): boolean {
    if (item === '*') this.#any = Math.min(this.#any, position)
    else if (item === '') this.#local = Math.min(this.#local, position)
    else return this.#networks.add(item, position)
    return true
  }

  find(subject: HostListSubject): number {
    let best = this.#any
    if (subject.address === undefined) return Math.min(best, this.#local)
    const ip = parseIp(subject.address)
    if (ip === undefined) return best
    best = Math.min(best, this.#networks.find(ip))
    return best
  }
}

/**
 * Compiles one item of a host list that the index does not take.
 * @param text the item without its exclamation mark
 */
export function hostItem(text: Text, options: CompileOptions): Match<HostListSubject> {
  const bytes = textOf(text)
  const sign = signOf(text)
  if (sign === '+') {
    const name = bytes.slice(1)
    return (subject, run) => run.engine.matchNamed('host', name, subject, run, options)
  }
  const item = remoteItem(text, sign, options)
  // Only `*` and the empty item match when there is no host.
  return (subject, run) => (subject.address === undefined ? undefined : item(subject, run))
}

function remoteItem(text: Text, sign: string, options: CompileOptions): Match<HostListSubject> {
  const bytes = textOf(text)
  if (sign === '/' && !options.inFile) {
    return (subject, run) => run.engine.matchFile('host', bytes, subject, run, options)
  }
  if (sign === '@' && bytes === '@[]') return localInterface
  if (sign === '@' && bytes === '@') {
    return (subject, run) => byName(run.context.server.primaryHostname, text, subject, run, options)
  }
  const byAddress = netLookup(text)
  if (byAddress !== undefined) return byAddress
  const lookup = parseLookupItem(text)
  if (lookup !== undefined && 'error' in lookup) return failing(lookup.error)
  if (lookup !== undefined) return hostLookup(lookup, bytes, options)
  if (bytes.startsWith('^')) return namePattern(bytes, options)
  if (bytes.startsWith('*')) {
    const suffix = asciiLower(bytes.slice(1))
    return (subject, run) =>
      byItsNames(subject, bytes, run, options, (name) => asciiLower(name).endsWith(suffix))
  }
  // An address with a mask that cannot be: Exim takes it for no match, not for a name.
  if (parseIp(bytes.split('/')[0] ?? '') !== undefined) return () => undefined
  return (subject, run) => byName(bytes, text, subject, run, options)
}

function byName(
  name: string,
  item: Text,
  subject: HostListSubject,
  run: Run,
  options: CompileOptions,
): Awaitable<ItemResult> {
  if (options.addressesOnly) return { is: 'unknown', why: 'cannot match host name in match_ip list' }
  return matchByName(name, subject, run, options.inFile ? textOf(item) : undefined)
}

/** True when one of the host's names passes. */
function byItsNames(
  subject: HostListSubject,
  item: string,
  run: Run,
  options: CompileOptions,
  passes: (name: string) => boolean,
): Awaitable<ItemResult> {
  if (options.addressesOnly) return { is: 'unknown', why: 'cannot match host name in match_ip list' }
  return after(namesOf(subject, item, run), (found: HostNames): ItemResult => {
    if ('result' in found) return found.result
    return found.names.some(passes) ? { is: 'match', data: options.inFile ? item : undefined } : undefined
  })
}

function namePattern(source: string, options: CompileOptions): Match<HostListSubject> {
  const pattern = compilePattern(source, false)
  if ('error' in pattern) return failing(pattern.error)
  return (subject, run) =>
    byItsNames(subject, source, run, options, (name) => {
      const found = pattern.match(name)
      return found !== undefined && !('error' in found)
    })
}

const localInterface: Match<HostListSubject> = (subject, run) =>
  subject.address !== undefined && run.context.server.localInterfaces().map(normal).includes(subject.address)
    ? { is: 'match', data: undefined }
    : undefined

/** A lookup by host name, or a query. */
function hostLookup(lookup: LookupItem, item: string, options: CompileOptions): Match<HostListSubject> {
  return (subject, run) => {
    if (lookup.style === 'query') return after(performLookup(lookup, '', run), asItemResult)
    if (options.addressesOnly) return lookUpAddress(lookup, undefined, subject, run)
    return after(namesOf(subject, item, run), (found: HostNames): Awaitable<ItemResult> => {
      if ('result' in found) return found.result
      return lookUpNames(lookup, found.names, 0, run)
    })
  }
}

function lookUpNames(
  lookup: LookupItem,
  names: readonly string[],
  at: number,
  run: Run,
): Awaitable<ItemResult> {
  const name = names[at]
  if (name === undefined) return undefined
  return after(performLookup(lookup, asciiLower(name), run), (found) =>
    found.is === 'none' ? lookUpNames(lookup, names, at + 1, run) : asItemResult(found),
  )
}

/** `net-type;...` and `net24-type;...`. Source: "Host list patterns for single-key lookups by host address". */
function netLookup(text: Text): Match<HostListSubject> | undefined {
  const prefix = signOf(text) === '' ? null : /^net(\d{0,3})-/.exec(textOf(text))
  if (prefix === null) return undefined
  const lookup = parseLookupItem(slice(text, prefix[0].length))
  if (lookup === undefined) return undefined
  if ('error' in lookup) return failing(lookup.error)
  const length = prefix[1] === '' ? undefined : Number(prefix[1])
  return (subject, run) => lookUpAddress(lookup, length, subject, run)
}

function lookUpAddress(
  lookup: LookupItem,
  length: number | undefined,
  subject: HostListSubject,
  run: Run,
): Awaitable<ItemResult> {
  const ip = subject.address === undefined ? undefined : parseIp(subject.address)
  if (ip === undefined) return undefined
  return after(performLookup(lookup, addressKey(ip, length, lookup.name), run), asItemResult)
}

/** Dots stand for the colons of IPv6, which end a key in lsearch files; iplsearch wants the colons. */
function addressKey(ip: IpAddress, length: number | undefined, type: string): string {
  const separator = type === 'iplsearch' ? ':' : '.'
  if (length === undefined) return formatInFull(ip, separator)
  const most = ip.version === 4 ? 32 : 128
  const bits = Math.min(length, most)
  return `${formatInFull(maskIp(ip, bits), separator)}/${bits}`
}
