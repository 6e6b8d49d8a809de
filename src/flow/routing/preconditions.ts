/**
 * Whether a router is run for an address: its preconditions, tested in Exim's order.
 * Source: Exim manual, "Router preconditions" (chapter 3, section 12).
 */
import { isFailure } from '../../base/outcome.ts'
import { asciiLower, type ByteString, type Text, textOf } from '../../base/text.ts'
import type { RouterInstance } from '../../language/config/configuration.ts'
import type { AddressFacts, Context, ListResult } from '../../ports.ts'
import { atRouter } from '../delivery-facts.ts'
import { findPrefix, findSuffix, type Affix } from './affixes.ts'
import { requireFiles } from './require-files.ts'
import type { AccountIds, Candidate, RoutingPurpose } from './types.ts'
import { isTrueText } from '../true-text.ts'
import { expandOption, isTrouble } from './values.ts'

export type Preconditions =
  | { readonly is: 'met'; readonly facts: AddressFacts; readonly ugid: AccountIds }
  | { readonly is: 'skip'; readonly why: string }
  | { readonly is: 'defer'; readonly message: string }

/** A precondition that keeps the router from being run; undefined: go on. */
type Stop = { readonly is: 'skip'; readonly why: string } | { readonly is: 'defer'; readonly message: string }

/** What the tests find out on the way. */
interface Found {
  readonly router: RouterInstance
  readonly base: Context
  facts: AddressFacts
  ugid: AccountIds
}

export async function checkPreconditions(
  router: RouterInstance,
  candidate: Candidate,
  purpose: RoutingPurpose,
  base: Context,
): Promise<Preconditions> {
  const affixes = findAffixes(router, candidate.localPart)
  if (affixes === undefined) return skip('local part affix')
  const found: Found = {
    router,
    base,
    facts: factsOf(candidate, affixes),
    ugid: { uid: undefined, gid: undefined, home: undefined },
  }
  const flag = purposeExcludes(router, purpose)
  if (flag !== undefined) return skip(flag)
  for (const test of testsOf(router)) {
    const stop = await test(found)
    if (stop !== undefined) return stop
  }
  return { is: 'met', facts: found.facts, ugid: found.ugid }
}

type Test = (found: Found) => Stop | undefined | Promise<Stop | undefined>

/** In Exim's order, each with the option it tests. */
const tests: readonly (readonly [keyof RouterInstance['settings'], Test])[] = [
  ['domains', domains],
  ['local_parts', localParts],
  ['check_local_user', checkLocalUser],
  ['router_home_directory', routerHomeDirectory],
  ['debug_print', debugPrint],
  ['senders', senders],
  ['require_files', (found) => requireFiles(found.router, contextOf(found))],
  ['condition', conditions],
]

/** Those whose options are set; found once for each router. */
const testsSet = new WeakMap<RouterInstance, readonly Test[]>()

function testsOf(router: RouterInstance): readonly Test[] {
  const known = testsSet.get(router)
  if (known !== undefined) return known
  const set = tests.flatMap(([option, test]) => {
    const value = router.settings[option]
    return value === undefined || value === false ? [] : [test]
  })
  testsSet.set(router, set)
  return set
}

function skip(why: string): Stop {
  return { is: 'skip', why }
}

/** The context as expansions of this router see it. */
function contextOf({ base, facts, router }: Found): Context {
  return {
    ...base,
    address: facts,
    delivery: atRouter(base.delivery, router.name),
    captures: [],
  }
}

interface Affixes {
  readonly prefix: Affix | undefined
  readonly suffix: Affix | undefined
  readonly localPart: ByteString
}

/** Undefined: a mandatory affix is missing. */
function findAffixes({ settings }: RouterInstance, whole: ByteString): Affixes | undefined {
  // In lower case like the rest, unless the router minds it: observed of Exim 4.96.
  let localPart = settings.caseful_local_part ? whole : asciiLower(whole)
  const prefix =
    settings.local_part_prefix === undefined ? undefined : findPrefix(settings.local_part_prefix, localPart)
  if (
    settings.local_part_prefix !== undefined &&
    prefix === undefined &&
    !settings.local_part_prefix_optional
  ) {
    return undefined
  }
  if (prefix !== undefined) localPart = localPart.slice(prefix.text.length)
  const suffix =
    settings.local_part_suffix === undefined ? undefined : findSuffix(settings.local_part_suffix, localPart)
  if (
    settings.local_part_suffix !== undefined &&
    suffix === undefined &&
    !settings.local_part_suffix_optional
  ) {
    return undefined
  }
  if (suffix !== undefined) localPart = localPart.slice(0, localPart.length - suffix.text.length)
  return { prefix, suffix, localPart }
}

function factsOf(candidate: Candidate, { prefix, suffix, localPart }: Affixes): AddressFacts {
  const { addressData, selfHostname, parentFacts, originalFacts } = candidate
  const facts: AddressFacts = {
    localPart,
    domain: candidate.domain,
    originalLocalPart: originalFacts?.localPart ?? `${prefix?.text ?? ''}${localPart}${suffix?.text ?? ''}`,
    originalDomain: originalFacts?.domain ?? candidate.domain,
    routerVariables: candidate.routerVariables,
  }
  if (parentFacts !== undefined) {
    facts.parentLocalPart = parentFacts.localPart
    facts.parentDomain = parentFacts.domain
  }
  if (prefix !== undefined) {
    facts.prefix = prefix.text
    if (prefix.variable !== undefined) facts.prefixV = prefix.variable
  }
  if (suffix !== undefined) {
    facts.suffix = suffix.text
    if (suffix.variable !== undefined) facts.suffixV = suffix.variable
  }
  if (addressData !== undefined) facts.addressData = addressData
  if (selfHostname !== undefined) facts.selfHostname = selfHostname
  return facts
}

function purposeExcludes(router: RouterInstance, purpose: RoutingPurpose): string | undefined {
  const { settings } = router
  const verifying = purpose === 'verify-recipient' || purpose === 'verify-sender'
  if (verifying) {
    // `verify` stands for both of them; one that is written out has the last word.
    const name = purpose === 'verify-recipient' ? 'verify_recipient' : 'verify_sender'
    const allowed = router.setAt.has(name) ? settings[name] : settings.verify
    if (!allowed) return `${name} is false`
  }
  if (!verifying && settings.verify_only) return 'verify_only is set'
  if (purpose === 'test' && !settings.address_test) return 'address_test is false'
  if (purpose === 'expn' && !settings.expn) return 'expn is false'
  return undefined
}

/** What a list that is a precondition means; the data it gives when it matches. */
function listStop(
  result: ListResult,
  option: string,
): Stop | { readonly is: 'match'; readonly data: Text | undefined } {
  switch (result.is) {
    case 'match':
      return result
    case 'no':
      return { is: 'skip', why: `${option} mismatch` }
    case 'defer':
      return { is: 'defer', message: `${option} check lookup or other defer: ${result.message}` }
    case 'failure':
      return { is: 'defer', message: `${option} check lookup or other defer` }
  }
}

async function domains(found: Found): Promise<Stop | undefined> {
  const list = found.router.settings.domains
  if (list === undefined) return undefined
  const context = contextOf(found)
  const result = listStop(
    await context.ports.matchList('domain', list, found.facts.domain, context),
    'domains',
  )
  if (result.is !== 'match') return result
  if (result.data !== undefined) found.facts = { ...found.facts, domainData: result.data }
  return undefined
}

async function localParts(found: Found): Promise<Stop | undefined> {
  const list = found.router.settings.local_parts
  if (list === undefined) return undefined
  const context = contextOf(found)
  const caseful = found.router.settings.caseful_local_part
  const { localPart } = found.facts
  const matched = await context.ports.matchList('localpart', list, localPart, context, { caseful })
  const result = listStop(matched, 'local_parts')
  if (result.is !== 'match') return result
  if (result.data !== undefined) found.facts = { ...found.facts, localPartData: result.data }
  return undefined
}

function checkLocalUser(found: Found): Stop | undefined {
  if (!found.router.settings.check_local_user) return undefined
  const account = found.base.ports.accounts.byName(found.facts.localPart)
  if (account === undefined) return skip(`${found.facts.localPart} is not a local user`)
  found.ugid = { uid: account.uid, gid: account.gid, home: account.home }
  // The account's own name is trusted: it came from the system, not from the sender.
  found.facts = {
    ...found.facts,
    localPartData: account.name,
    home: account.home,
    uid: account.uid,
    gid: account.gid,
  }
  return undefined
}

async function routerHomeDirectory(found: Found): Promise<Stop | undefined> {
  const { router } = found
  const home = await expandOption(
    router.settings.router_home_directory,
    { context: contextOf(found) },
    (text) => `failed to expand "${text}" for router_home_directory`,
  )
  if (isTrouble(home)) return home
  if (home !== undefined) found.facts = { ...found.facts, home }
  return undefined
}

async function debugPrint(found: Found): Promise<undefined> {
  const text = found.router.settings.debug_print
  const { debug, ports } = found.base
  if (text === undefined || debug === undefined) return undefined
  const value = await ports.expand(text, contextOf(found))
  debug('any|v', isFailure(value) ? `debug_print: ${value.message}` : textOf(value))
  return undefined
}

async function senders(found: Found): Promise<Stop | undefined> {
  const list = found.router.settings.senders
  if (list === undefined) return undefined
  const context = contextOf(found)
  const sender = context.message?.sender ?? ''
  const result = listStop(await context.ports.matchList('address', list, sender, context), 'senders')
  return result.is === 'match' ? undefined : result
}

async function conditions(found: Found): Promise<Stop | undefined> {
  const context = contextOf(found)
  for (const condition of found.router.settings.condition ?? []) {
    const value = await context.ports.expand(condition, context)
    if (isFailure(value)) {
      if (value.kind === 'forced') return skip('condition forced to fail')
      if (value.kind === 'defer') return { is: 'defer', message: value.message }
      // Observed with Exim 4.96: a condition that cannot be expanded is told to the panic log and counts as false.
      const text = `failed to expand condition "${condition.text}" for ${found.router.name} router: ${value.message}`
      context.ports.log.panic(context.message?.id, text)
      return skip('condition cannot be expanded')
    }
    if (!isTrueText(value)) return skip('condition is false')
  }
  return undefined
}
