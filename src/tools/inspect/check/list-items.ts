/** Items of lists that are not what they seem: several with something else than colons between them, half an address. */
import { nearest, type Diagnostic } from '../../../base/diagnostic.ts'
import { parseIp, parseNetwork } from '../../../base/ip.ts'
import { textOf } from '../../../base/text.ts'
import { createListMatcher } from '../../../language/lists/index.ts'
import { lookupTypes } from '../../../language/lookups/parse-type.ts'
import { rows } from '../../../policy/acl/parse.ts'
import { type FoundList, listsOf } from './lists-of.ts'
import type { Check } from './subject.ts'

export const listItems: Check = {
  name: 'list-items',
  doc: 'Commas, semicolons, spaces and comments between items, addresses that are none, switches in place of lists.',
  run(subject, report) {
    const { namedLists } = subject.configuration
    const isNamed = (kind: FoundList['kind'], name: string): boolean =>
      kind !== 'string' && namedLists[kind].has(name)
    for (const list of listsOf(subject)) {
      const { text } = list.text
      // What an expansion gives is not known here.
      if (/[$\\]/.test(text)) continue
      const whole = ofWhole.map((judge) => judge(list)).find((each) => each !== undefined)
      if (whole !== undefined) report(whole)
      else for (const found of itemFindings(list, isNamed)) report(found)
    }
  },
}

type Finding = Diagnostic | undefined

const ofWhole: readonly ((list: FoundList) => Finding)[] = [
  secondEquals,
  yesOrNo,
  singleColons,
  colonAfterType,
]

/** `senders == a@b.example`. */
function secondEquals({ text }: FoundList): Finding {
  const found = /^\s*=+/.exec(text.text)?.[0]
  if (found === undefined) return undefined
  return warning(
    'list-equals',
    'the second equals sign is part of the first item, which never matches',
    text.span(found.length - 1, found.length),
    'write one equals sign',
  )
}

/** `hosts_require_tls = yes`. */
function yesOrNo({ kind, row, text }: FoundList): Finding {
  const word = text.text.trim().toLowerCase()
  const isSwitch = /^(?:yes|no|true|false)$/.test(word)
  // A local part may well be called so.
  if (!isSwitch || kind === 'localpart' || (kind === 'string' && !allowsAll.has(row ?? ''))) return undefined
  const on = word === 'yes' || word === 'true'
  const off = row === undefined ? 'leave it empty for none' : `write "!${row} = *" for the opposite`
  return warning(
    'list-word',
    `"${text.text.trim()}" is an item of this list, no switch: nothing is called so`,
    text.span(),
    on ? 'write "*" for all' : off,
  )
}

/** Lists of other things, of which "*" is any. */
const allowsAll: ReadonlySet<string> = new Set(['authenticated', 'encrypted'])

/** An IPv6 address with its colons as they are is no single item. */
function singleColons({ kind, text }: FoundList): Finding {
  if (kind !== 'host' || /^\s*</.test(text.text)) return undefined
  for (const found of text.text.matchAll(
    /(?<!\S)!?\[?([\da-f:]*:[\da-f:]*(?:\.\d+)*(?:\/\d+)?)\]?(?:\/\d+)?(?!\S)/gi,
  )) {
    const [whole, address = ''] = found
    if (!address.includes(':') || /^:+$/.test(address) || parseNetwork(address) === undefined) continue
    const items = createListMatcher().splitList(whole).map(textOf)
    // Brackets stand around no address of a list.
    const doubled = whole.replaceAll(/[[\]]/g, '').replaceAll(':', '::')
    const read = items.map((item) => `"${item}"`).join(', ')
    return warning(
      'list-ipv6',
      `the colons of "${address}" separate items: it is read as ${read}`,
      text.span(found.index, found.index + whole.length),
      `double each colon: ${doubled}, or begin the list with "<;" and separate its items by semicolons`,
    )
  }
  return undefined
}

/** `lsearch:/etc/domains`. */
function colonAfterType({ kind, text }: FoundList): Finding {
  if (kind === 'string' || !text.text.includes('/') || /^\s*</.test(text.text)) return undefined
  const found = /(?:^|:)\s*((?:net\d*-|partial\d*-)?([a-z]+)\*?@?)\s*:\s*\//.exec(text.text)
  const [whole = '', word = '', type = ''] = found ?? []
  if (found === null || !Object.hasOwn(lookupTypes, type)) return undefined
  const start = found.index + whole.indexOf(word)
  return warning(
    'list-lookup-colon',
    `"${word}" is an item by itself here: a semicolon stands between the type of a lookup and its file`,
    text.span(start, start + word.length),
    `write "${word};/..."`,
  )
}

type IsNamed = (kind: FoundList['kind'], name: string) => boolean

function itemFindings(list: FoundList, isNamed: IsNamed): Diagnostic[] {
  const { text } = list.text
  const findings: Diagnostic[] = []
  let from = 0
  for (const each of createListMatcher().splitList(text)) {
    const item = textOf(each).trim()
    const at = text.indexOf(item, from)
    if (at >= 0) from = at + item.length
    const start = Math.max(0, at)
    const found =
      plusMissing(item, list, start, isNamed) ??
      ofItems.map((judge) => judge(item, list, start)).find((one) => one !== undefined)
    if (found !== undefined) findings.push(found)
  }
  return findings
}

const ofItems: readonly ((item: string, list: FoundList, start: number) => Finding)[] = [
  comment,
  unknownType,
  otherSeparator,
  secondCondition,
  spaces,
  badAddress,
  halfAddress,
  badDomain,
]

/** `domains = local_domains`; a local part may well be called as a list is. */
function plusMissing(item: string, { kind, text }: FoundList, start: number, isNamed: IsNamed): Finding {
  const bare = item.replace(/^!\s*/, '')
  if (kind === 'localpart' || bare === 'localhost' || !isNamed(kind, bare)) return undefined
  return warning(
    'list-plus',
    `"${bare}" is an item by itself here, not the list of this name`,
    text.span(start, start + item.length),
    `write "${item.startsWith('!') ? '!' : ''}+${bare}"`,
  )
}

/** The separator of a list that begins with `<` and another one than a colon. */
function separatorOf({ text }: FoundList): string | undefined {
  const separator = /^\s*<(\S)/.exec(text.text)?.[1]
  return separator === ':' ? undefined : separator
}

/** `10.0.0.1 # the office`. */
function comment(item: string, { text }: FoundList, start: number): Finding {
  const at = /\s(#.*)$/s.exec(item)
  const found = at?.[1] ?? ''
  if (at === null || /^[\^(/"]/.test(item)) return undefined
  const from = start + item.length - found.length
  return warning(
    'list-comment',
    `"${found}" is part of the list: a comment stands on a line of its own`,
    text.span(from, from + found.length),
    'move it to a line before this one',
  )
}

/** `lsaerch;/etc/domains`. */
function unknownType(item: string, { kind, text }: FoundList, start: number): Finding {
  const word = /^!?\s*(?:net\d*-)?((?:partial[\w.()*-]*-)?([a-z][a-z0-9]*)\*?@?);\s*\//.exec(item)
  const [, written = '', type = ''] = word ?? []
  if (kind === 'string' || word === null || Object.hasOwn(lookupTypes, type)) return undefined
  const from = start + item.indexOf(written) + written.indexOf(type)
  const near = nearest(type, Object.keys(lookupTypes))
  return {
    code: 'lookup-unknown',
    severity: 'error',
    message: `unknown lookup type "${type}"`,
    at: text.span(from, from + type.length),
    help: near === undefined ? undefined : `did you mean "${near}"?`,
  }
}

/** `<; 127.0.0.1 : 10.0.0.0/8`. */
function colonsBetween(item: string, { text }: FoundList, start: number, separator: string): Finding {
  const items = item.split(/\s+:\s*|:\s+/)
  if (items.length < 2 || /[\^()[\]{}"']/.test(item)) return undefined
  return warning(
    'list-commas',
    `"${item}" is one item, which never matches: this list begins with "<${separator}", which separates its items`,
    text.span(start, start + item.length),
    `write "${items.join(` ${separator} `)}"`,
  )
}

function otherSeparator(item: string, list: FoundList, start: number): Finding {
  const { kind, text } = list
  if (kind === 'string') return undefined
  const own = separatorOf(list)
  if (own !== undefined) return colonsBetween(item, list, start, own)
  const separator = isRow(item, ',') ? ',' : isRow(item, ';') && !isLookup(item) ? ';' : undefined
  if (separator === undefined) return undefined
  const items = item.split(separator).map((each) => each.trim())
  return warning(
    'list-commas',
    `"${item}" is one item, which never matches: the items of a list are separated by colons`,
    text.span(start, start + item.length),
    `write "${items.join(' : ')}", or begin the list with "<${separator}"`,
  )
}

/** Domains, addresses or networks with something between them. */
function isRow(item: string, separator: string): boolean {
  if (!item.includes(separator) || /[\^()[\]{}"']/.test(item)) return false
  const parts = item.split(separator).map((each) => each.trim())
  return parts.length > 1 && parts.every((each) => /^!?[\w*+@.:/-]*[.@*:][\w*@.:/-]*$|^\+\w+$/.test(each))
}

function isLookup(item: string): boolean {
  const type = /^!?\s*(?:net\d*-)?(?:partial\d*(?:\([^)]*\))?-?)?([a-z0-9]+)/.exec(item)?.[1] ?? ''
  return Object.hasOwn(lookupTypes, type)
}

function secondCondition(item: string, { text, in: where }: FoundList, start: number): Finding {
  const second = where === 'acl' ? /\s(!?\s*([a-z_]+)\s*=.*)$/s.exec(item) : null
  const [, written = '', word = ''] = second ?? []
  const known = rows.has(word) || nearest(word, rows.keys()) !== undefined
  if (second === null || !known || item.includes(';')) return undefined
  const from = start + item.length - written.length
  return warning(
    'acl-two-conditions',
    `"${written}" is part of the list before it: a condition takes the rest of its line`,
    text.span(from, start + item.length),
    'put each condition on a line of its own',
  )
}

function spaces(item: string, list: FoundList, start: number): Finding {
  const { kind, text } = list
  const bare = item.replace(/^!\s*/, '')
  // A name that is parted from its plus sign is another finding.
  if (/^\+\s+\w+$/.test(bare)) return undefined
  const not = /^not\s+(\S+)$/i.exec(bare)?.[1]
  if (kind === 'string' || !/\s/.test(bare) || !/^[\w!+@*./:[\]\s-]+$/.test(bare) || bare.startsWith('/'))
    return undefined
  return warning(
    'list-spaces',
    `"${item}" is one item${kind === 'localpart' ? '' : ', which never matches'}: the items of a list are separated by colons`,
    text.span(start, start + item.length),
    not === undefined
      ? `write "${item
          .replace(/^!\s+/, '!')
          .split(/\s+/)
          .join(` ${separatorOf(list) ?? ':'} `)}"`
      : `write "!${not}"`,
  )
}

function badAddress(item: string, { kind, text }: FoundList, start: number): Finding {
  const bare = item.replace(/^!\s*/, '')
  if (kind !== 'host' || !/^\d{1,4}(?:\.(?:\d{1,4}|\*)){1,3}\.?$/.test(bare) || parseIp(bare) !== undefined)
    return undefined
  return warning(
    'list-address',
    `"${bare}" is no address: it is looked up as the name of a host`,
    text.span(start, start + item.length),
    /^\d+(?:\.\d+){3}$/.test(bare)
      ? 'each of the four numbers is at most 255'
      : `a network is written with the number of its bits: ${networkOf(bare)}`,
  )
}

/** `10.0.0.0/8:fe80::/10`: a doubled colon stands for one. */
function halfAddress(item: string, { kind, text }: FoundList): Finding {
  const bare = item.replace(/^!\s*/, '')
  if (kind !== 'host' || !/^[\da-f]*:[\da-f:]*(?:\/\d+)?$/i.test(bare) || parseNetwork(bare) !== undefined)
    return undefined
  const written = bare.replaceAll(':', '::')
  const start = text.text.indexOf(written)
  if (start < 0) return undefined
  return warning(
    'list-ipv6',
    `"${bare}" is no address: a doubled colon in a list stands for one`,
    text.span(start, start + written.length),
    'double each colon of an IPv6 address, or begin the list with "<;" and separate its items by semicolons',
  )
}

/** `10.0.0.*` and `10.0.0.` as what was meant. */
function networkOf(text: string): string {
  const known = text.split('.').filter((part) => /^\d+$/.test(part))
  return `${[...known, '0', '0', '0'].slice(0, 4).join('.')}/${known.length * 8}`
}

/** `.a.example`, and an asterisk that is not at the beginning. */
function badDomain(item: string, { kind, text }: FoundList, start: number): Finding {
  const bare = item.replace(/^!\s*/, '')
  const judged = kind === 'domain' ? /^\.|.\*/ : kind === 'localpart' ? /.\*/ : undefined
  if (judged === undefined || !/^[\w.*+-]+$/.test(bare) || !judged.test(bare)) return undefined
  return warning(
    'list-domain',
    bare.startsWith('.') && kind === 'domain'
      ? `"${bare}" never matches: no domain begins with a dot`
      : `"${bare}" never matches: an asterisk stands for something at the beginning only`,
    text.span(start, start + item.length),
    bare.startsWith('.') && kind === 'domain'
      ? `write "*${bare}" for what is below it`
      : 'a regular expression begins with ^',
  )
}

function warning(code: string, message: string, at: Diagnostic['at'], help: string): Diagnostic {
  return { code, severity: 'warning', message, at, help }
}
