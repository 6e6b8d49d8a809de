/** Source: Exim manual, "Using DNS lists" and the sections after it. */
import { parseIp, reverseIp } from '../../../base/ip.ts'
import { isTainted, taint, type Text, textOf } from '../../../base/text.ts'
import type { Context } from '../../../ports.ts'
import { askList, textOfEntry } from '../dnslists/ask.ts'
import { type DnsListItem, matches, parseDnsListItem } from '../dnslists/parse.ts'
import { FALSE, type Tested, type TextCondition, TRUE } from '../row.ts'

type WhenUnknown = 'include' | 'exclude' | 'defer'
type Listed = 'listed' | 'not listed' | 'defer'

/** More questions than this are not asked for one condition. */
const MOST_QUESTIONS = 200

export const dnslists: TextCondition = {
  kind: 'condition',
  name: 'dnslists',
  doc: 'True when the client, or a key that is given, is in one of the DNS lists.',
  since: '0.1',
  tier: 'A',
  argument: 'text',
  phases: 'all',
  async run({ context }, argument) {
    let whenUnknown: WhenUnknown = 'exclude'
    let questions = 0
    for (const item of context.ports.splitList(argument)) {
      const text = textOf(item)
      context.debug?.('dnsbl', `dnslists check: ${text}`)
      if (text.startsWith('+')) {
        whenUnknown = readSign(text, whenUnknown, context)
        continue
      }
      const parsed = parseDnsListItem(item)
      warnOfStrangeNames(parsed, context)
      const keys = keysOf(parsed, context)
      questions += keys.length
      if (questions > MOST_QUESTIONS) break
      const result = await checkItem(parsed, keys, whenUnknown, context)
      if (result !== undefined) return result
    }
    return FALSE
  },
}

function readSign(text: string, before: WhenUnknown, context: Context): WhenUnknown {
  const word = /^\+(include|exclude|defer)_unknown$/.exec(text)?.[1]
  if (word === 'include' || word === 'exclude' || word === 'defer') return word
  if (text !== '+shared_ip') context.ports.log.panic(undefined, `unknown item in dnslist (ignored): ${text}`)
  return before
}

function warnOfStrangeNames({ domain, asked }: DnsListItem, context: Context): void {
  for (const name of new Set([domain, asked])) {
    if (/^[\w.-]*$/.test(name)) continue
    context.ports.log.main(
      undefined,
      `dnslists domain "${name}" contains strange characters - is this right?`,
    )
  }
}

function keysOf(item: DnsListItem, context: Context): Text[] {
  if (item.keys !== undefined) return context.ports.splitList(item.keys)
  const address = context.connection?.hostAddress
  return address === undefined ? [] : [address]
}

/** Undefined: go on with the next item. */
async function checkItem(
  item: DnsListItem,
  keys: readonly Text[],
  whenUnknown: WhenUnknown,
  context: Context,
): Promise<Tested | undefined> {
  let deferred: string | undefined
  for (const key of keys) {
    const ip = parseIp(textOf(key))
    const prefix = ip === undefined ? textOf(key) : reverseIp(ip)
    const listed = await checkKey(item, key, prefix, context)
    if (listed === 'listed') return TRUE
    if (listed === 'defer') deferred = `${prefix}.${item.asked}`
  }
  if (deferred === undefined) return undefined
  logDefer(deferred, whenUnknown, context)
  if (whenUnknown === 'include') {
    context.variables.set('dnslist_domain', item.domain)
    return TRUE
  }
  return whenUnknown === 'defer' ? { is: 'defer' } : undefined
}

function logDefer(query: string, whenUnknown: WhenUnknown, { ports }: Context): void {
  if (!ports.log.selects('dnslist_defer')) return
  const what = {
    include: 'assumed in list',
    exclude: 'assumed not in list',
    defer: 'returned DEFER',
  }[whenUnknown]
  ports.log.main(undefined, `DNS list lookup defer (probably timeout) for ${query}: ${what}`)
}

async function checkKey(item: DnsListItem, key: Text, prefix: string, context: Context): Promise<Listed> {
  const { debug } = context
  const query = `${prefix}.${item.asked}`
  const answer = await askList(query, context)
  if (answer.is !== 'listed') {
    debug?.('dnsbl', `DNS lookup for ${query} ${answer.is === 'defer' ? 'deferred' : 'failed'}`)
    if (answer.is === 'not listed') {
      debug?.('dnsbl', `=> that means ${textOf(key)} is not listed at ${item.asked}`)
    }
    return answer.is
  }
  debug?.('dnsbl', `DNS lookup for ${query} succeeded (yielding ${answer.addresses.join(', ')})`)
  if (!matches(item.match, answer.numbers)) {
    debug?.('dnsbl', `=> but we are not accepting this block class because of the addresses at ${item.asked}`)
    return 'not listed'
  }
  // Of two domains the first must hold the key too; its text is the one that counts.
  if (item.domain !== item.asked) {
    const first = await askList(`${prefix}.${item.domain}`, context)
    if (first.is !== 'listed') return first.is
    keep(item, key, first.addresses, context)
  } else keep(item, key, answer.addresses, context)
  const text = await textOfEntry(`${prefix}.${item.domain}`, context)
  context.variables.set('dnslist_text', taint(text, '$dnslist_text'))
  debug?.('dnsbl', `=> that means ${textOf(key)} is listed at ${item.domain}`)
  return 'listed'
}

function keep(item: DnsListItem, key: Text, addresses: readonly string[], { variables }: Context): void {
  variables.set('dnslist_domain', isTainted(key) ? taint(item.domain, '$dnslist_domain') : item.domain)
  variables.set('dnslist_matched', key)
  variables.set('dnslist_value', taint(addresses.join(', '), '$dnslist_value'))
}
