/**
 * The one place that plugs the ports: who answers what the language, the policy and the flow ask of each other.
 * ACLs, routers and lookups are loaded when the first question for them comes.
 */
import { randomInt } from 'node:crypto'
import type { Awaitable } from '../base/outcome.ts'
import type { Text } from '../base/text.ts'
import type { Doors } from '../language/expand/doors/doors.ts'
import { createExpander } from '../language/expand/index.ts'
import { createListMatcher } from '../language/lists/index.ts'
import type { Configuration } from '../language/config/configuration.ts'
import { createEvents, type EventSink } from './events.ts'
import type {
  Accounts,
  AclPlace,
  AclResult,
  Context,
  Files,
  Hints,
  Log,
  LookupRequest,
  LookupResult,
  Ports,
  VerifyRequest,
  VerifyResult,
} from '../ports.ts'

/** What the ports are made from. */
export interface Resources {
  readonly dns: Ports['dns']
  readonly hostAddresses: Ports['hostAddresses']
  readonly lookUpHostName: Ports['lookUpHostName']
  readonly accounts: Accounts
  readonly files: Files
  readonly hints: Hints
  /** Asked each time: the log is known only after `log_file_path` has been expanded. */
  log(): Log
  readonly now?: () => number
  readonly random?: (limit: number) => number
  /** Commands and sockets of expansions; left out: the real ones. */
  readonly doors?: Partial<Doors>
  /** Where events go beside the actions. */
  readonly eventSink?: EventSink | undefined
}

/** Parts that are loaded when they are first needed. */
export interface LazyParts {
  runAcl(): Promise<Ports['runAcl']>
  lookup(): Promise<Ports['lookup']>
  verify(): Promise<Ports['verify']>
}

export interface PluggedPorts extends Ports {
  /** Resolves when the actions of events that were raised are over. */
  eventsSettled(): Promise<void>
  /** Compiles long named lists before somebody asks, in turns with other work. */
  prepareLists(configuration: Configuration): void
}

export function createPorts(resources: Resources, parts: LazyParts): PluggedPorts {
  const expander = createExpander(resources.doors === undefined ? {} : { doors: resources.doors })
  const lists = createListMatcher()
  const events = createEvents({
    expand: (text, context) => expander.expand(text, context),
    sink: resources.eventSink,
  })
  // Loaded once, however many ask at the same moment: lookups hold connections to databases.
  let runAcl: Ports['runAcl'] | undefined
  let loadingAcl: Promise<Ports['runAcl']> | undefined
  let lookup: Ports['lookup'] | undefined
  let loadingLookup: Promise<Ports['lookup']> | undefined
  let verify: Promise<Ports['verify']> | undefined

  return {
    expand: (text, context) => expander.expand(text, context),
    expandText: (text, context) => expander.expandText(text, context),
    matchList: lists.matchList,
    matchListText: lists.matchListText,
    splitList: lists.splitList,
    lookup(request: LookupRequest, context: Context): Awaitable<LookupResult> {
      if (lookup !== undefined) return lookup(request, context)
      loadingLookup ??= parts.lookup()
      return loadingLookup.then((loaded) => {
        lookup = loaded
        return loaded(request, context)
      })
    },
    runAcl(acl: Text, place: AclPlace, context: Context, args?: readonly Text[]): Awaitable<AclResult> {
      if (runAcl !== undefined) return runAcl(acl, place, context, args)
      loadingAcl ??= parts.runAcl()
      return loadingAcl.then((loaded) => {
        runAcl = loaded
        return loaded(acl, place, context, args)
      })
    },
    async verify(request: VerifyRequest, context: Context): Promise<VerifyResult> {
      verify ??= parts.verify()
      return (await verify)(request, context)
    },
    raise: (event, data, context, details) => events.raise(event, data, context, details),
    eventsSettled: () => events.settled(),
    prepareLists: (configuration) => lists.prepare(configuration),
    dns: resources.dns,
    hostAddresses: resources.hostAddresses,
    lookUpHostName: resources.lookUpHostName,
    hints: resources.hints,
    get log() {
      return resources.log()
    },
    accounts: resources.accounts,
    files: resources.files,
    now: resources.now ?? Date.now,
    random: resources.random ?? ((limit) => (limit > 1 ? randomInt(limit) : 0)),
  }
}
