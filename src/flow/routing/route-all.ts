/**
 * All addresses of a message through the routers, children of redirections included.
 * An address is followed down to its last child before its brother: that is the order of Exim's log.
 */
import type { ByteString } from '../../base/text.ts'
import type { Recipient } from '../../mail/envelope.ts'
import type { Context } from '../../ports.ts'
import type { DiscardedAddress, RoutedAddress, RoutingResult, UnroutedAddress } from '../routed.ts'
import { ancestorsOf, topCandidate } from './candidate.ts'
import type { TakenAddress } from './finish.ts'
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
export interface Walk {
  readonly taken: TakenAddress[]
  readonly unrouted: { readonly candidate: Candidate; readonly result: Unrouted; readonly waits: boolean }[]
  readonly discarded: {
    readonly candidate: Candidate
    readonly routerName: string
    readonly loggedAs: ByteString | undefined
  }[]
}

export async function routeAll(
  recipients: readonly Recipient[],
  context: Context,
  options: RouteAllOptions,
  engine: RouteEngine,
): Promise<RoutingResult> {
  const walk = await walkAddresses(recipients.map(topCandidate), context, options, engine)
  const discarded: DiscardedAddress[] = walk.discarded.map(({ candidate, routerName, loggedAs }) => ({
    address: candidate.address,
    recipient: candidate.recipient,
    ancestors: ancestorsOf(candidate),
    routerName,
    loggedAs,
  }))
  const { routed, unrouted } = sortOut(walk, discarded)
  return { routed, unrouted, discarded, oneTime: oneTimeOf(walk, recipients) }
}

/** Takes from a stack, so that children come next. */
export async function walkAddresses(
  candidates: readonly Candidate[],
  context: Context,
  options: RouteAllOptions,
  engine: RouteEngine,
): Promise<Walk> {
  const walk: Walk = { taken: [], unrouted: [], discarded: [] }
  const stack = [...candidates].reverse()
  const purpose = options.purpose ?? 'deliver'
  let generated = 0
  for (let candidate = stack.pop(); candidate !== undefined; candidate = stack.pop()) {
    if (options.isDone?.(candidate.address) === true) continue
    const waits = await waitsFor(candidate, context, options)
    if (waits !== undefined) {
      walk.unrouted.push({ candidate, result: waits, waits: true })
      continue
    }
    const run = await routeAddress(candidate, { ...engine, purpose, context })
    if (run.clone !== undefined) stack.push(run.clone)
    generated += childrenOf(run)
    const tooMuch = candidate.depth > depthLimit || generated > generatedLimit
    if (tooMuch && run.result.is === 'redirected') {
      const message = candidate.depth > depthLimit ? 'too many redirections' : 'too many generated addresses'
      walk.unrouted.push({
        candidate,
        waits: false,
        result: { is: 'deferred', message, router: run.result.work.router },
      })
      continue
    }
    record(run, walk, stack, options)
  }
  return walk
}

function childrenOf({ result }: AddressRun): number {
  return result.is === 'redirected' ? result.children.length : 0
}

function record(run: AddressRun, walk: Walk, stack: Candidate[], options: RouteAllOptions): void {
  const { candidate, result } = run
  switch (result.is) {
    case 'taken':
      walk.taken.push(result.address)
      return
    case 'discarded':
      walk.discarded.push({ candidate, routerName: result.routerName, loggedAs: result.loggedAs })
      return
    case 'redirected':
      // From the last to the first: the first is then on top of the stack, and pipes and files keep Exim's order.
      for (const child of [...result.children].reverse()) {
        if ('uniqueKey' in child) {
          if (options.isDone?.(child.uniqueKey) !== true) walk.taken.push(child)
        } else stack.push(child)
      }
      return
    case 'failed':
    case 'deferred':
      walk.unrouted.push({ candidate, result, waits: false })
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
  const waiting = options.mustWait?.(candidate.address, candidate.domain)
  return waiting === undefined ? undefined : { is: 'deferred', message: waiting.message, router: undefined }
}

/** Leaves out duplicates; an address whose transport cannot be told waits. */
function sortOut(
  walk: Walk,
  discarded: DiscardedAddress[],
): { routed: RoutedAddress[]; unrouted: UnroutedAddress[] } {
  const unrouted: UnroutedAddress[] = walk.unrouted.map(({ candidate, result, waits }) =>
    toUnrouted(candidate, result, waits),
  )
  const routed: RoutedAddress[] = []
  const seen = new Set<ByteString>()
  for (const taken of walk.taken) {
    const { candidate, problem, hostText: _, transport, ...rest } = taken
    if (transport === undefined) {
      const message = problem ?? 'no transport'
      unrouted.push(toUnrouted(candidate, { is: 'deferred', message, router: taken.router }, false))
      continue
    }
    if (seen.has(taken.uniqueKey)) {
      discarded.push({
        address: taken.address,
        recipient: taken.recipient,
        ancestors: taken.ancestors,
        routerName: taken.router.name,
        loggedAs: undefined,
      })
      continue
    }
    seen.add(taken.uniqueKey)
    routed.push({ ...rest, transport })
  }
  return { routed, unrouted }
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
    ...(result.freeze === true && { freeze: true }),
    ...(waits && { retryDefer: true }),
    ...(candidate.errorsTo !== undefined && { errorsTo: candidate.errorsTo }),
  }
}

/** Recipients to put in the place of those that a `one_time` router redirected. */
function oneTimeOf(walk: Walk, recipients: readonly Recipient[]): RoutingResult['oneTime'] {
  const children = new Map<Recipient, Recipient[]>()
  const add = (candidate: Candidate): void => {
    if (!candidate.oneTime) return
    const list = children.get(candidate.recipient) ?? []
    list.push({
      address: candidate.address,
      parent: recipients.indexOf(candidate.recipient),
      ...(candidate.errorsTo !== undefined && { errorsTo: candidate.errorsTo }),
      ...(candidate.recipient.dsn && { dsn: candidate.recipient.dsn }),
    })
    children.set(candidate.recipient, list)
  }
  for (const taken of walk.taken) add(taken.candidate)
  for (const { candidate } of walk.unrouted) add(candidate)
  return [...children].map(([original, list]) => ({ original, children: list }))
}
