/**
 * All addresses of a message through the routers, children of redirections included.
 * An address is followed down to its last child before its brother: that is the order of Exim's log.
 */
import type { ByteString } from '../../base/text.ts'
import type { Recipient } from '../../mail/envelope.ts'
import type { Context } from '../../ports.ts'
import type { DiscardedAddress, RoutedAddress, RoutingResult, UnroutedAddress } from '../routed.ts'
import { ancestorsOf, topCandidate } from './candidate.ts'
import type { Child, TakenAddress } from './finish.ts'
import { type AddressRun, routeAddress, type Unrouted } from './route-address.ts'
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
  ) => { readonly message: ByteString } | undefined
  /** Forced delivery: `hold_domains` does not count. */
  readonly force?: boolean
  /** True while this is a queue run. */
  readonly queueRun?: boolean
}

/** Redirections above one another, and addresses made from the recipients of one message. */
const depthLimit = 100
const generatedLimit = 100_000

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
  const walk = await walkAddresses(recipients.map(topCandidate), context, options, engine)
  return { ...sortOut(walk), oneTime: oneTimeOf(walk, recipients) }
}

/** Takes from a stack, so that children come next. */
export async function walkAddresses(
  candidates: readonly Candidate[],
  context: Context,
  options: RouteAllOptions,
  engine: RouteEngine,
): Promise<WalkEvent[]> {
  const walk: WalkEvent[] = []
  const stack: Child[] = candidates.map((candidate) => ({ is: 'candidate' as const, candidate })).reverse()
  const purpose = options.purpose ?? 'deliver'
  let generated = 0
  for (let child = stack.pop(); child !== undefined; child = stack.pop()) {
    if (child.is === 'taken') {
      if (options.isDone?.(child.address.uniqueKey) !== true) walk.push(child)
      continue
    }
    const { candidate } = child
    if (options.isDone?.(candidate.uniqueKey) === true) continue
    const waits = await waitsFor(candidate, context, options)
    if (waits !== undefined) {
      walk.push({ is: 'unrouted', candidate, result: waits, waits: true })
      continue
    }
    const run = await routeAddress(candidate, { ...engine, purpose, context })
    generated += run.result.is === 'redirected' ? run.result.children.length : 0
    const excess =
      candidate.depth > depthLimit
        ? 'too many redirections'
        : generated > generatedLimit
          ? 'too many generated addresses'
          : undefined
    if (excess !== undefined && run.result.is === 'redirected') {
      const result: Unrouted = { is: 'deferred', message: excess, router: run.result.work.router }
      walk.push({ is: 'unrouted', candidate, result, waits: false })
      continue
    }
    record(run, walk, stack)
    // The copy that goes on comes before the children.
    if (run.clone !== undefined) stack.push({ is: 'candidate', candidate: run.clone })
  }
  return walk
}

function record({ candidate, result }: AddressRun, walk: WalkEvent[], stack: Child[]): void {
  switch (result.is) {
    case 'taken':
      walk.push(result)
      return
    case 'discarded':
      walk.push({ is: 'discarded', candidate, routerName: result.routerName, loggedAs: result.loggedAs })
      return
    case 'redirected':
      // From the last to the first: the first is then on top of the stack.
      stack.push(...result.children.toReversed())
      return
    case 'failed':
    case 'deferred':
      walk.push({ is: 'unrouted', candidate, result, waits: false })
  }
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
    if (held.is === 'match') return { is: 'deferred', message: 'domain is held', router: undefined }
    if (held.is !== 'no')
      return { is: 'deferred', message: `hold_domains: ${held.message}`, router: undefined }
  }
  const waiting = options.mustWait?.(candidate.uniqueKey, candidate.domain)
  return waiting === undefined ? undefined : { is: 'deferred', message: waiting.message, router: undefined }
}

/** Leaves out duplicates; what is forbidden fails, and an address whose transport cannot be told waits. */
function sortOut(walk: readonly WalkEvent[]): Omit<RoutingResult, 'oneTime'> {
  const routed: RoutedAddress[] = []
  const unrouted: UnroutedAddress[] = []
  const discarded: DiscardedAddress[] = []
  const seen = new Set<ByteString>()
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
    const { candidate: _, problem, forbidden, transport, ...rest } = event.address
    if (forbidden === true || transport === undefined) {
      unrouted.push(refusedSpecial(event.address, forbidden === true, problem))
    } else if (seen.has(rest.uniqueKey)) {
      discarded.push(discardedBy(event.address))
    } else {
      seen.add(rest.uniqueKey)
      routed.push({ ...rest, transport })
    }
  }
  return { routed, unrouted, discarded }
}

function refusedSpecial(
  taken: TakenAddress,
  forbidden: boolean,
  problem: ByteString | undefined,
): UnroutedAddress {
  const { address, recipient, ancestors, router, special, transport } = taken
  const kind = special === 'pipe' ? 'pipe' : 'file'
  return {
    address,
    recipient,
    ancestors,
    routerName: router.name,
    is: forbidden ? 'failed' : 'deferred',
    message: forbidden ? `delivery to ${kind} forbidden` : (problem ?? 'no transport'),
    ...(transport && { transportName: transport.name }),
    ...(!forbidden && { errno: -30 }),
    ...(taken.errorsTo !== undefined && { errorsTo: taken.errorsTo }),
  }
}

/** A duplicate: done without a delivery of its own. */
function discardedBy({ address, recipient, ancestors, router }: TakenAddress): DiscardedAddress {
  return { address, recipient, ancestors, routerName: router.name, loggedAs: undefined }
}

function toUnrouted(candidate: Candidate, result: Unrouted, waits: boolean): UnroutedAddress {
  return {
    address: candidate.address,
    recipient: candidate.recipient,
    ancestors: ancestorsOf(candidate),
    routerName: result.router?.name,
    is: result.is,
    message: result.message,
    ...(result.userMessage !== undefined && { userMessage: result.userMessage }),
    ...(result.code !== undefined && { code: result.code }),
    ...(result.errno !== undefined && { errno: result.errno }),
    ...(result.freeze === true && { freeze: true }),
    ...(waits && { retryDefer: true }),
    ...(candidate.errorsTo !== undefined && { errorsTo: candidate.errorsTo }),
  }
}

/** Recipients to put in the place of those that a `one_time` router redirected. */
function oneTimeOf(walk: readonly WalkEvent[], recipients: readonly Recipient[]): RoutingResult['oneTime'] {
  const children = new Map<Recipient, Recipient[]>()
  for (const event of walk) {
    const candidate = event.is === 'taken' ? event.address.candidate : event.candidate
    if (!candidate.oneTime || event.is === 'discarded') continue
    const { recipient, errorsTo } = candidate
    const list = children.get(recipient) ?? []
    list.push({
      address: candidate.address,
      parent: recipients.indexOf(recipient),
      ...(errorsTo !== undefined && { errorsTo }),
      ...(recipient.dsn && { dsn: recipient.dsn }),
    })
    children.set(recipient, list)
  }
  return [...children].map(([original, list]) => ({ original, children: list }))
}
