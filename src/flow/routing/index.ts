/** Routing: where each address goes. Source: Exim manual, chapters 3 and 15 to 22. */
import type { ByteString, Text } from '../../base/text.ts'
import type { RouterInstance, TransportInstance } from '../../language/config/configuration.ts'
import type { Recipient } from '../../mail/envelope.ts'
import type { Context, VerifyRequest, VerifyResult } from '../../ports.ts'
import type { GeneratedAddresses, RoutingResult, SystemFiltered } from '../routed.ts'
import { type Generations, runSystemFilter } from './filter/system-filter.ts'
import { createAddressTest, type AddressTest } from './address-test.ts'
import { rewriteAddress } from './rewrite/rewrite-address.ts'
import { routeAll, type RouteAllOptions, type RouteEngine } from './route-all.ts'
import { routerDrivers } from './routers/index.ts'
import type { GeneratedMessage } from '../generated-message.ts'
import type { QueryAnswer, RoutingServices, UserNote, UserQuery } from './types.ts'
import { createVerify, findTarget } from './verify.ts'
import type { Callout, CalloutTarget, QuotaCheck } from '../callout-types.ts'

export { routerDrivers } from './routers/index.ts'
export type { RouterDriver } from './types.ts'
export type { AddressTest, AddressTestMode } from './address-test.ts'
export type { Callout } from '../callout-types.ts'
export type { GeneratedMessage } from '../generated-message.ts'
export type { QueryAnswer, UserNote, UserQuery } from './types.ts'

export interface RoutingDeps {
  readonly routers: readonly RouterInstance[]
  readonly transports: ReadonlyMap<string, TransportInstance>
  /** Domains of resolv.conf that complete names; left out: none. */
  readonly searchDomains?: () => readonly string[]
  /** Asks the hosts of an address whether they would take it; left out: callout options are refused. */
  readonly callout?: Callout
  /** Looks whether a mailbox has room; left out: the quota option is refused. */
  readonly quota?: QuotaCheck
  /** Takes the report of `syntax_errors_to`; left out: none is sent. */
  readonly submit?: (message: GeneratedMessage) => Promise<unknown>
  /** Writes to the log file of a filter; left out: filters that log are refused. */
  readonly note?: (note: UserNote) => Promise<string | undefined>
  /** Runs programs of queryprogram routers; left out: they defer. */
  readonly query?: (query: UserQuery) => Promise<QueryAnswer>
}

/** Options of a walk for delivery; what the system filter set up is known by what it gave. */
export type RouteOptions = Omit<RouteAllOptions, 'generated'> & {
  readonly generated?: GeneratedAddresses | undefined
}

export interface Routing {
  /** Runs recipients through the routers for delivery. */
  route(recipients: readonly Recipient[], context: Context, options?: RouteOptions): Promise<RoutingResult>
  /** Runs the system filter, where there is one. `rehearsal`: it writes to no log file. */
  systemFilter(context: Context, rehearsal?: boolean): Promise<SystemFiltered>
  /** The ACL condition `verify = recipient|sender`. */
  verify(request: VerifyRequest, context: Context): Promise<VerifyResult>
  /** Where the one address that a recipient leads to goes; undefined: none, or several. */
  target(address: ByteString, context: Context): Promise<CalloutTarget | undefined>
  /** `-bt`, `-bv`, `-bvs` and EXPN: what Exim prints, and its exit code. */
  readonly test: AddressTest
}

export function createRouting(deps: RoutingDeps): Routing {
  const services: RoutingServices = {
    transports: deps.transports,
    routers: deps.routers,
    searchDomains: deps.searchDomains ?? (() => []),
    verifies: (address, context) => errorsAddressVerifies(address, context, engine),
    rewrite: rewriteGenerated,
    ...(deps.submit && { submit: deps.submit }),
    ...(deps.note && { note: deps.note }),
    ...(deps.query && { query: deps.query }),
  }
  const engine: RouteEngine = { drivers: routerDrivers, services }
  const generations: Generations = new WeakMap()
  return {
    route(recipients, context, options = {}) {
      const { generated, ...others } = options
      const children = generated === undefined ? undefined : generations.get(generated)
      return routeAll(recipients, context, { ...others, ...(children && { generated: children }) }, engine)
    },
    systemFilter: (context, rehearsal = false) =>
      runSystemFilter(context, deps.transports, generations, rehearsal ? writesNothing : deps.note),
    verify: createVerify(engine, deps),
    target: (address, context) => findTarget(address, context, engine),
    test: createAddressTest(engine),
  }
}

const writesNothing = (): Promise<undefined> => Promise.resolve(undefined)

/** The sender is empty while an `errors_to` address is verified: Exim manual, router option "senders". */
async function errorsAddressVerifies(
  address: ByteString,
  context: Context,
  engine: RouteEngine,
): Promise<boolean> {
  const depth = Number(depthOf(context.variables.get(errorsDepth)))
  if (depth >= errorsDepthLimit) return false
  const variables = new Map(context.variables).set(errorsDepth, String(depth + 1))
  const quiet: Context = {
    ...context,
    variables,
    ...(context.message && { message: { ...context.message, sender: '' } }),
  }
  const result = await createVerify(engine, {})({ address, kind: 'recipient', options: [] }, quiet)
  return result.is === 'ok'
}

/** An errors_to address may itself lead through routers with errors_to; not for ever. */
const errorsDepth = ' errors_to depth'
const errorsDepthLimit = 5

function depthOf(value: Text | undefined): string {
  return typeof value === 'string' ? value : '0'
}

/** Addresses that a redirection made are rewritten like envelope recipients. */
async function rewriteGenerated(address: ByteString, context: Context): Promise<ByteString> {
  const rules = context.server.configuration.rewrite
  return rules.length === 0 ? address : (await rewriteAddress(address, 'T', rules, context)).address
}
