/** Whether the client is what a mechanism describes. Source: RFC 7208 section 5. */
import { inNetwork } from '../../../base/ip.ts'
import { unreachable } from '../../../base/outcome.ts'
import { expandDomain, type MacroString, usesMacro } from './macro.ts'
import { isAskable } from './names.ts'
import type { Mechanism } from './record.ts'
import type { SpfTrouble } from './result.ts'
import type { Walk } from './walk.ts'

export type Match = 'match' | 'no' | SpfTrouble

/** All but `include`, which is an evaluation of its own. */
export type PlainMechanism = Exclude<Mechanism, { readonly kind: 'include' }>

const MOST_EXCHANGES = 10

export async function matches(mechanism: PlainMechanism, domain: string, walk: Walk): Promise<Match> {
  switch (mechanism.kind) {
    // Section 5.1.
    case 'all':
      return 'match'
    // Section 5.6.
    case 'ip4':
    case 'ip6':
      return inNetwork(walk.ip, mechanism.network) ? 'match' : 'no'
    case 'a':
    case 'mx':
    case 'ptr':
    case 'exists': {
      const tooMany = walk.countTerm()
      if (tooMany !== undefined) return tooMany
      const target = await targetName(mechanism.target, domain, walk)
      return target === undefined ? 'no' : matchesNames(mechanism, target, walk)
    }
    default:
      return unreachable(mechanism)
  }
}

/**
 * The name a term is about; undefined when it cannot be one: section 4.8 recommends that such a term does
 * not match.
 */
export async function targetName(
  target: MacroString | undefined,
  domain: string,
  walk: Walk,
): Promise<string | undefined> {
  if (target === undefined) return domain
  // RFC 8616 section 4: terms with %{s} or %{l} of an internationalized local part never match.
  if (walk.foreignLocalPart && (usesMacro(target, 's') || usesMacro(target, 'l'))) return undefined
  const pointerName = usesMacro(target, 'p') ? await walk.pointerName(domain) : ''
  const name = expandDomain(target, (letter) => walk.valueOf(letter, domain, pointerName))
  return isAskable(name) ? name : undefined
}

type NameMechanism = Extract<PlainMechanism, { readonly kind: 'a' | 'mx' | 'ptr' | 'exists' }>

async function matchesNames(mechanism: NameMechanism, target: string, walk: Walk): Promise<Match> {
  switch (mechanism.kind) {
    // Section 5.3.
    case 'a': {
      const found = await walk.addressesOf(target)
      if (found === 'void') return walk.countVoid() ?? 'no'
      if ('result' in found) return found
      return found.some((address) => walk.covers(address, mechanism.bits4, mechanism.bits6)) ? 'match' : 'no'
    }
    // Section 5.4.
    case 'mx':
      return matchesExchanges(target, mechanism.bits4, mechanism.bits6, walk)
    // Section 5.5.
    case 'ptr': {
      const { names, isVoid } = await walk.validatedNames()
      if (isVoid) return walk.countVoid() ?? 'no'
      const wanted = target.toLowerCase()
      return names.some((name) => name === wanted || name.endsWith(`.${wanted}`)) ? 'match' : 'no'
    }
    // Section 5.7: type A, whatever the client's address is.
    case 'exists': {
      const answer = await walk.ask(target, 'A')
      if ('result' in answer) return answer
      return answer.status === 'found' ? 'match' : (walk.countVoid() ?? 'no')
    }
    default:
      return unreachable(mechanism)
  }
}

async function matchesExchanges(target: string, bits4: number, bits6: number, walk: Walk): Promise<Match> {
  const answer = await walk.ask(target, 'MX')
  if ('result' in answer) return answer
  if (answer.status !== 'found') return walk.countVoid() ?? 'no'
  // Section 4.6.4: more than ten names are an error, not a reason to stop quietly.
  if (answer.records.length > MOST_EXCHANGES) {
    return { result: 'permerror', problem: `more than ${MOST_EXCHANGES} MX records for ${target}` }
  }
  let isVoid = false
  for (const record of answer.records) {
    if (record.type !== 'MX') continue
    const found = await walk.addressesOf(record.exchange.replace(/\.$/, ''))
    if (found === 'void') {
      isVoid = true
      continue
    }
    if ('result' in found) return found
    if (found.some((address) => walk.covers(address, bits4, bits6))) return 'match'
  }
  // Void lookups are counted by term, as section 4.6.4 words it: exchanges without an address of the
  // client's kind count once.
  return isVoid ? (walk.countVoid() ?? 'no') : 'no'
}
