/** One router at work on one address: preconditions, variables, address data, the driver, what becomes of it. */
import type { Expandable } from '../../base/expandable.ts'
import { isFailure } from '../../base/outcome.ts'
import { asciiLower, type Text, textOf } from '../../base/text.ts'
import type { RouterInstance } from '../../language/config/configuration.ts'
import type { AddressFacts, Context } from '../../ports.ts'
import { atRouter } from '../delivery-facts.ts'
import { checkPreconditions } from './preconditions.ts'
import type {
  Candidate,
  RouterDriver,
  RouterVerdict,
  RouterWork,
  RoutingPurpose,
  RoutingServices,
} from './types.ts'
import { type ExpansionTrouble, expandOption, isTrouble, privateSetting, trouble } from './values.ts'

export type RouterRun =
  | { readonly is: 'skipped'; readonly why: string }
  | { readonly is: 'ran'; readonly verdict: RouterVerdict; readonly work: RouterWork }
  /** A precondition could not be tested. */
  | { readonly is: 'deferred'; readonly message: string; readonly work: undefined }

export interface RouterSetup {
  readonly drivers: Readonly<Record<string, RouterDriver>>
  readonly services: RoutingServices
  readonly purpose: RoutingPurpose
  readonly context: Context
}

export async function runRouter(
  router: RouterInstance,
  candidate: Candidate,
  setup: RouterSetup,
): Promise<RouterRun> {
  const looped = alreadyUsed(router, candidate)
  if (looped !== undefined) return { is: 'skipped', why: looped }
  // `$return_path`: where bounces go by the redirection that the address came from.
  const { errorsTo: returnPath } = candidate
  const base: Context = {
    ...setup.context,
    captures: [],
    ...(returnPath !== undefined && {
      delivery: { ...atRouter(setup.context.delivery, router.name), returnPath },
    }),
  }
  const met = await checkPreconditions(router, candidate, setup.purpose, base)
  if (met.is === 'skip') return { is: 'skipped', why: met.why }
  if (met.is === 'defer') return { is: 'deferred', message: met.message, work: undefined }
  let { facts } = met
  const workWith = (now: typeof facts): RouterWork => ({
    router,
    candidate,
    purpose: setup.purpose,
    context: contextOf(base, router, now),
    facts: now,
    ugid: met.ugid,
    services: setup.services,
  })
  if (router.settings.set !== undefined) {
    const variables = await setVariables(
      router.settings.set,
      router,
      candidate,
      contextOf(base, router, facts),
    )
    if (isTrouble(variables)) return { is: 'deferred', message: variables.message, work: undefined }
    if (variables === undefined) return { is: 'ran', verdict: { is: 'decline' }, work: workWith(facts) }
    candidate.routerVariables = variables
    facts = { ...facts, routerVariables: variables }
  }
  let work = workWith(facts)
  if (router.settings.address_data !== undefined) {
    const data = await expandOption(
      router.settings.address_data,
      work,
      (text) => `expansion of "${text}" failed in ${router.name} router`,
    )
    if (isTrouble(data)) return { is: 'deferred', message: data.message, work: undefined }
    if (data === undefined) return { is: 'ran', verdict: { is: 'decline' }, work }
    candidate.addressData = data
    facts = { ...facts, addressData: data }
    work = workWith(facts)
  }
  const driver = setup.drivers[router.driver]
  if (driver === undefined || driver.works === false) {
    const verdict = { is: 'defer', message: `the ${router.driver} router driver is not available` } as const
    return { is: 'ran', verdict, work }
  }
  const verifying = setup.purpose.startsWith('verify')
  if (verifying) base.debug?.('verify', `calling ${router.name} router`)
  const verdict = await driver.route(work)
  if (verifying) base.debug?.('verify', toldVerdict(verdict, work))
  return { is: 'ran', verdict, work }
}

/** What `-bh` shows of a router's verdict. */
function toldVerdict(verdict: RouterVerdict, { router, candidate }: RouterWork): string {
  switch (verdict.is) {
    case 'assign':
      return `routed by ${router.name} router`
    case 'fail':
      return `${router.name} router forced address failure`
    case 'decline':
      return `${router.name} router declined for ${candidate.address}`
    case 'defer':
      return `${router.name} router: defer for ${candidate.address}`
    default:
      return `${router.name} router: ${verdict.is} for ${candidate.address}`
  }
}

function contextOf(base: Context, router: RouterInstance, facts: AddressFacts): Context {
  return {
    ...base,
    address: facts,
    delivery: atRouter(base.delivery, router.name),
  }
}

/**
 * A router is not used again for an address that is its own ancestor there, nor, with `repeat_use` off, for any
 * address below one that it took. Source: Exim manual, "Redirecting to a local mailbox".
 */
function alreadyUsed(router: RouterInstance, candidate: Candidate): string | undefined {
  const once = privateSetting(router, 'repeat_use') === false
  for (let up = candidate.parent; up !== undefined; up = up.parent) {
    if (up.takenBy !== router) continue
    if (once) return 'repeat_use is false and an ancestor was routed by this router'
    if (sameCandidate(up, candidate)) return 'looped'
  }
  return undefined
}

/** The local part's case counts only when routers may care for it, which the whole address cannot tell: it does not. */
function sameCandidate(a: Candidate, b: Candidate): boolean {
  return a.domain === b.domain && asciiLower(a.localPart) === asciiLower(b.localPart)
}

/** `set = r_name = value`, several a value, separated by semicolons; undefined: one was forced to fail. Source: Exim manual, router option "set". */
async function setVariables(
  settings: readonly Expandable[],
  router: RouterInstance,
  candidate: Candidate,
  context: Context,
): Promise<ReadonlyMap<string, Text> | ExpansionTrouble | undefined> {
  const variables = new Map(candidate.routerVariables)
  const here: Context = {
    ...context,
    ...(context.address && { address: { ...context.address, routerVariables: variables } }),
  }
  for (const setting of settings) {
    const list = /^\s*</.test(setting.text) ? setting.text : `<;${setting.text}`
    for (const item of context.ports.splitList(list)) {
      const match = /^\s*r_(\w+)\s*=\s*(.*)$/s.exec(textOf(item))
      if (match === null) {
        return { is: 'defer', message: `bad variable setting "${textOf(item)}" in ${router.name} router` }
      }
      const value = await context.ports.expandText(match[2] ?? '', here)
      if (isFailure(value)) {
        if (value.kind === 'forced') return undefined
        return trouble(setting, value)
      }
      variables.set(match[1] ?? '', value)
    }
  }
  return variables
}
