/**
 * All addresses of a message through the routers, children of redirections included.
 * The order is Exim's, since its log shows it.
 */
import type { Awaitable } from '../../base/outcome.ts'
import type { ByteString } from '../../base/text.ts'
import type { Recipient } from '../../mail/envelope.ts'
import type { Context } from '../../ports.ts'
import {
  type DiscardedAddress,
  type RoutedAddress,
  type RoutingResult,
  type UnroutedAddress,
  waitingNumbers,
} from '../routed.ts'
import type { DomainChange } from '../routed.ts'
import { percentHack } from '../percent-hack.ts'
import { ancestorsOf, hackedCandidate, oneTimeOf, topCandidate } from './candidate.ts'
import { type Child, copyFor, retryUsesLocalPart, type TakenAddress } from './finish.ts'
import { type AddressRun, refused, routeAddress, type Unrouted } from './route-address.ts'
import type { Candidate, RouterDriver, RoutingPurpose, RoutingServices } from './types.ts'

export interface RouteEngine {
  readonly drivers: Readonly<Record<string, RouterDriver>>
  readonly services: RoutingServices
}

export interface RouteAllOptions {
  /** Left out: `deliver`. */
  readonly purpose?: RoutingPurpose
  /** Addresses that are done already: they and their children are left alone. */
  readonly isDone?: (uniqueKey: ByteString) => boolean
  /** Why an address must wait (its retry time is not reached); undefined: it need not. */
  readonly mustWait?: (
    address: ByteString,
    domain: ByteString,
  ) => Awaitable<{ readonly message: ByteString; readonly errno?: number } | undefined>
  /** What the system filter set up. */
  readonly generated?: readonly Child[]
  /** Forced delivery: `hold_domains` does not count. */
  readonly force?: boolean
  /** True while this is a queue run. */
  readonly queueRun?: boolean
  /** Most addresses that redirections may make; left out: 100,000. */
  readonly generatedLimit?: number
}

/** Redirections above one another, and addresses made from the recipients of one message. */
const depthLimit = 100
const generatedLimit = 100_000
/** After so many addresses others get their turn: routing from tables alone never waits. */
const addressesInOneGo = 50

/** Everything that came of one walk, in the order it came. */
export type WalkEvent =
  | { readonly is: 'taken'; readonly address: TakenAddress }
  /** `waits`: it was not tried, its time has not come. */
  | {
      readonly is: 'unrouted'
      readonly candidate: Candidate
      readonly result: Unrouted
      readonly waits: boolean
    }
  | {
      readonly is: 'discarded'
      readonly candidate: Candidate
      readonly routerName: string
      readonly loggedAs: ByteString | undefined
    }

export async function routeAll(
  recipients: readonly Recipient[],
  context: Context,
  options: RouteAllOptions,
  engine: RouteEngine,
): Promise<RoutingResult> {
  const domainChanges: DomainChange[] = []
  const walk = await walkRounds(recipients.map(topCandidate), context, options, engine, domainChanges)
  return { ...sortOut(walk), domainChanges }
}

/** For delivery: all addresses at hand, from the last to the first, then all that came of them. */
async function walkRounds(
  candidates: readonly Candidate[],
  context: Context,
  options: RouteAllOptions,
  engine: RouteEngine,
  domainChanges: DomainChange[],
): Promise<WalkEvent[]> {
  const walk: WalkEvent[] = []
  // Arrays of all recipients are put together once: an unshift for each would take a second for 100,000.
  let taken: readonly WalkEvent[] = []
  const state: WalkState = { generated: 0, routed: 0, sameDomain: new Map(), domainChanges }
  const generated = options.generated ?? []
  // New addresses come before the recipients, pipes and files after them.
  let round: readonly Child[] = [
    ...generated.filter((child) => child.is === 'candidate'),
    ...candidates.map((candidate): Child => ({ is: 'candidate', candidate })),
    ...generated.filter((child) => child.is === 'taken'),
  ]
  while (round.length > 0) {
    const children: Child[][] = []
    const routed: WalkEvent[] = []
    for (const child of round.toReversed()) {
      const step = await stepOf(child, context, options, engine, state)
      if (step.next.length > 0) children.push([...step.next])
      for (const event of step.events) (event.is === 'taken' ? routed : walk).push(event)
    }
    // What a later round routes is delivered first, within a round the first address; pipes, files and answers, which
    // need no routing, come after the addresses, the last of them first.
    const inOrder = routed.toReversed()
    taken = [...inOrder.filter((event) => !isSpecial(event)), ...routed.filter(isSpecial), ...taken]
    round = children.reverse().flat()
  }
  return [...walk, ...taken]
}

function isSpecial(event: WalkEvent): boolean {
  return event.is === 'taken' && event.address.special !== undefined
}

/** For tests of addresses: from a stack, so that children come next. */
export async function walkAddresses(
  candidates: readonly Candidate[],
  context: Context,
  options: RouteAllOptions,
  engine: RouteEngine,
): Promise<WalkEvent[]> {
  const walk: WalkEvent[] = []
  const state: WalkState = { generated: 0, routed: 0, sameDomain: new Map(), domainChanges: [] }
  const stack: Child[] = candidates.map((candidate) => ({ is: 'candidate' as const, candidate })).reverse()
  for (let child = stack.pop(); child !== undefined; child = stack.pop()) {
    const step = await stepOf(child, context, options, engine, state)
    walk.push(...step.events)
    stack.push(...step.next.toReversed())
  }
  return walk
}

interface WalkState {
  generated: number
  routed: number
  /** Routings that go for all addresses of a domain. */
  readonly sameDomain: Map<string, TakenAddress>
  readonly domainChanges: DomainChange[]
}

interface WalkStep {
  readonly events: readonly WalkEvent[]
  /** Addresses that it led to, in order. */
  readonly next: readonly Child[]
}

const nothing: WalkStep = { events: [], next: [] }

async function stepOf(
  child: Child,
  context: Context,
  options: RouteAllOptions,
  engine: RouteEngine,
  state: WalkState,
): Promise<WalkStep> {
  if (child.is === 'taken') {
    return options.isDone?.(child.address.uniqueKey) === true ? nothing : { events: [child], next: [] }
  }
  const hacked = await percentHacked(child.candidate, context)
  if (hacked.is === 'defer')
    return unroutedStep(child.candidate, { ...hacked, is: 'deferred', router: undefined }, false)
  const { candidate } = hacked
  if (options.isDone?.(candidate.uniqueKey) === true) return nothing
  const waits = await waitsFor(candidate, context, options)
  if (waits !== undefined) return unroutedStep(candidate, waits, true)
  const purpose = options.purpose ?? 'deliver'
  const known =
    purpose === 'deliver' && candidate.startAt === undefined
      ? state.sameDomain.get(candidate.domain)
      : undefined
  if (known !== undefined) return { events: [{ is: 'taken', address: copyFor(candidate, known) }], next: [] }
  if (++state.routed % addressesInOneGo === 0) await new Promise((resolve) => setImmediate(resolve))
  const run = await routeAddress(candidate, {
    drivers: engine.drivers,
    services: engine.services,
    purpose,
    context,
  })
  // The copy that `unseen` sends on comes before the children.
  const clone: readonly Child[] = run.clone === undefined ? [] : [{ is: 'candidate', candidate: run.clone }]
  const { result } = run
  if (result.is === 'taken' && result.forDomain === true)
    state.sameDomain.set(candidate.domain, result.address)
  if (result.is !== 'redirected') return { events: [eventOf(run)], next: clone }
  state.generated += result.children.length
  if (result.domainChange !== undefined) state.domainChanges.push(result.domainChange)
  const { router } = result.work
  if (candidate.depth > depthLimit) {
    return unroutedStep(candidate, { is: 'deferred', message: 'too many redirections', router }, false)
  }
  if (state.generated > (options.generatedLimit ?? generatedLimit)) {
    return unroutedStep(candidate, { is: 'deferred', message: 'too many generated addresses', router }, false)
  }
  const { refusal } = result
  const events: WalkEvent[] =
    refusal === undefined
      ? []
      : [
          {
            is: 'unrouted',
            candidate,
            result: refused(refusal, result.work),
            waits: false,
          },
        ]
  return { events, next: [...clone, ...result.children] }
}

function unroutedStep(candidate: Candidate, result: Unrouted, waits: boolean): WalkStep {
  return { events: [{ is: 'unrouted', candidate, result, waits }], next: [] }
}

function eventOf({ candidate, result }: AddressRun): WalkEvent {
  switch (result.is) {
    case 'taken':
      return result
    case 'discarded':
      return { is: 'discarded', candidate, routerName: result.routerName, loggedAs: result.loggedAs }
    case 'failed':
    case 'deferred':
      return { is: 'unrouted', candidate, result, waits: false }
    case 'redirected':
      throw new Error('a redirection has children in place of an event')
  }
}

type MaybeHacked =
  | { readonly is: 'candidate'; readonly candidate: Candidate }
  | { readonly is: 'defer'; readonly message: ByteString }

/** `percent_hack_domains`. */
export async function percentHacked(candidate: Candidate, context: Context): Promise<MaybeHacked> {
  const hacked = await percentHack(candidate, context)
  if (hacked.is === 'defer') return hacked
  if (hacked.is === 'as it was') return { is: 'candidate', candidate }
  return { is: 'candidate', candidate: hackedCandidate(candidate, hacked.localPart, hacked.domain) }
}

/** `hold_domains` and retry times. */
async function waitsFor(
  candidate: Candidate,
  context: Context,
  options: RouteAllOptions,
): Promise<Unrouted | undefined> {
  if ((options.purpose ?? 'deliver') !== 'deliver') return undefined
  const hold = context.settings.hold_domains
  if (hold !== undefined && options.force !== true) {
    const held = await context.ports.matchList('domain', hold, candidate.domain, context)
    if (held.is === 'match')
      return { is: 'deferred', message: 'domain is held', errno: waitingNumbers.held, router: undefined }
    if (held.is !== 'no')
      return { is: 'deferred', message: `hold_domains: ${held.message}`, router: undefined }
  }
  const waiting = await options.mustWait?.(candidate.uniqueKey, candidate.domain)
  return waiting === undefined ? undefined : { is: 'deferred', ...waiting, router: undefined }
}

/** Leaves out duplicates; what is forbidden fails, and an address whose transport cannot be told waits. */
function sortOut(walk: readonly WalkEvent[]): Omit<RoutingResult, 'domainChanges'> {
  const routed: RoutedAddress[] = []
  const unrouted: UnroutedAddress[] = []
  const refusedAtOnce: UnroutedAddress[] = []
  const discarded: DiscardedAddress[] = []
  /** By what makes an address one: it, and the recipients of its duplicates. */
  const seen = new Map<ByteString, { readonly routed: RoutedAddress; readonly alsoFor: ByteString[] }>()
  for (const event of walk) {
    if (event.is === 'unrouted') {
      unrouted.push(toUnrouted(event.candidate, event.result, event.waits))
      continue
    }
    if (event.is === 'discarded') {
      const { candidate, routerName, loggedAs } = event
      const { address, recipient } = candidate
      discarded.push({ address, recipient, ancestors: ancestorsOf(candidate), routerName, loggedAs })
      continue
    }
    const { forbidden, taint, badReply, transport, uniqueKey } = event.address
    const first = seen.get(uniqueKey)
    if (forbidden === true || transport === undefined) {
      // What cannot be at all is told before anything else, in the order in which it was named: the last was looked at first.
      refusedAtOnce.unshift(refusedSpecial(event.address))
    } else if (taint !== undefined || badReply !== undefined) {
      unrouted.push(refusedSpecial(event.address))
    } else if (first !== undefined) {
      first.alsoFor.push(event.address.recipient.address)
      discarded.push(duplicateOf(first.routed, event.address))
    } else {
      const alsoFor: ByteString[] = []
      const one: RoutedAddress = { ...event.address, transport, alsoFor }
      seen.set(uniqueKey, { routed: one, alsoFor })
      routed.push(one)
    }
  }
  return { routed, unrouted: [...refusedAtOnce, ...unrouted], discarded }
}

/** A pipe or file that must not or cannot be written to. */
function refusedSpecial(taken: TakenAddress): UnroutedAddress {
  const { address, recipient, ancestors, router, special, transport, taint } = taken
  const forbidden = taken.forbidden === true
  const fails = forbidden || taken.badReply !== undefined
  const trouble = taint ?? { message: taken.problem ?? 'no transport', errno: -30 }
  return {
    address,
    recipient,
    ancestors,
    routerName: router.name,
    is: fails ? 'failed' : 'deferred',
    message: forbidden ? forbiddenSays(special) : (taken.badReply ?? trouble.message),
    ...(transport && { transportName: transport.name }),
    ...(!fails && { errno: trouble.errno }),
    ...(taken.taint !== undefined && { panic: true as const }),
    // What a router forbids is no business of the sender. Observed of Exim 4.96.
    ...(forbidden && { untold: true as const }),
    ...(taken.ignoreErrors && { ignoreErrors: true as const }),
    ...(special !== undefined && { special: true as const }),
    ...(taken.errorsTo !== undefined && { errorsTo: taken.errorsTo }),
    ...(taken.hiddenInReports && { hiddenInReports: true as const }),
    retryUseLocalPart: taken.retryUseLocalPart,
  }
}

function forbiddenSays(special: TakenAddress['special']): ByteString {
  if (special === 'reply') return 'autoreply forbidden'
  return `delivery to ${special === 'pipe' ? 'pipe' : 'file'} forbidden`
}

/** A duplicate: no delivery of its own. */
function duplicateOf(
  one: RoutedAddress,
  { address, recipient, ancestors, router }: TakenAddress,
): DiscardedAddress {
  return { address, recipient, ancestors, routerName: router.name, loggedAs: undefined, duplicateOf: one }
}

function toUnrouted(candidate: Candidate, result: Unrouted, waits: boolean): UnroutedAddress {
  return {
    address: candidate.address,
    recipient: candidate.recipient,
    ancestors: ancestorsOf(candidate),
    routerName: result.router?.name,
    is: result.is,
    message: result.message,
    ...(result.shown !== undefined && { shown: result.shown }),
    ...(result.userMessage !== undefined && { userMessage: result.userMessage }),
    ...(result.code !== undefined && { code: result.code }),
    ...(result.errno !== undefined && { errno: result.errno }),
    ...(result.freeze === true && { freeze: true }),
    ...(result.untold === true && { untold: true as const }),
    ...(waits && { retryDefer: true }),
    ...(result.router !== undefined && { retryUseLocalPart: retryUsesLocalPart(result.router.settings) }),
    ...(candidate.hidden && { hiddenInReports: true as const }),
    ...(candidate.ignoreErrors && { ignoreErrors: true as const }),
    ...(candidate.errorsTo !== undefined && { errorsTo: candidate.errorsTo }),
    ...oneTimeOf(candidate),
  }
}
