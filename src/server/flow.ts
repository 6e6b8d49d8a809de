/** Reception, routing, delivery and queue of one configuration, put together when the first of them is asked for. */
import { loadavg } from 'node:os'
import {
  createCallout,
  createCutthrough,
  createDelivery,
  createQuotaCheck,
  type Delivery,
  type DeliveryDeps,
  type Following,
  type GeneratedMessage,
  type Submitted,
  type Watched,
  arrivedFrozen,
} from '../flow/delivery/index.ts'
import { isDebugged } from '../base/debug-selector.ts'
import type { HeldOpen } from '../flow/cutthrough-types.ts'
import type { Accepted, ReceiveServices } from '../flow/receive/services.ts'
import { createRouting, type Routing } from '../flow/routing/index.ts'
import { changeHeaderDomains, rewriteHeaders } from '../flow/routing/rewrite/index.ts'
import { createDoors } from '../language/expand/doors/index.ts'
import { type DebugLogging, debugSelection } from '../policy/acl/controls/debug.ts'
import type { Claim, Spool, SpooledMessage } from '../store/spool/api.ts'
import { createTlsContexts } from '../wire/tls/contexts.ts'
import { createTlsSessions } from '../wire/tls/sessions.ts'
import { createAuthService } from './auth-service.ts'
import { takeReportBounce } from './dmarc-reports.ts'
import { createDmarcService } from './dmarc-service.ts'
import { debugPorts } from './debug-ports.ts'
import { createEtrn } from './etrn.ts'
import type { RunAs } from './privileged/run-as.ts'
import type { DeliverMessage, DeliveryOrder, DeliveryQueue } from './queue.ts'
import { createRewriting, transportRules } from './rewriting.ts'
import type { Server } from './server.ts'
import type { StoreRoom } from './store-room.ts'
import { runUserQuery, writeUserNote } from './user-jobs.ts'
import { submitGenerated } from './submit.ts'

export interface FlowOptions {
  readonly searchDomains: () => readonly string[]
  readonly runAs: () => RunAs | undefined
  readonly pretend: boolean
  readonly queue: () => Promise<DeliveryQueue>
  /** Undefined: nobody has asked for it yet. */
  readonly openedQueue: () => DeliveryQueue | undefined
}

export interface Flow {
  readonly routing: Routing
  /** What the queue delivers with. */
  delivering(): Promise<DeliverMessage>
  receiving(): Promise<ReceiveServices>
  close(): Promise<void>
}

async function openEvents(server: Server, store: StoreRoom): Promise<void> {
  const { event_stream, event_stream_size } = server.settings
  const text = await server.text(event_stream)
  if (text === undefined || text === '') return
  const owner = process.geteuid?.() === 0 ? server.user : undefined
  const wrong = await store.useEventStream(text, event_stream_size, owner)
  if (wrong !== undefined) server.log.panic(undefined, wrong)
}

export async function createFlow(server: Server, store: StoreRoom, options: FlowOptions): Promise<Flow> {
  await store.openHints()
  await openEvents(server, store)
  const { configuration } = server
  const { routers, transports } = configuration
  const tls = { contexts: createTlsContexts(), sessions: createTlsSessions(() => Date.now()) }
  const callout = createCallout({ tls })
  const routing = createRouting({
    callout,
    quota: createQuotaCheck({ runAs: options.runAs }),
    routers,
    transports,
    searchDomains: options.searchDomains,
    submit,
    note: (note) => writeUserNote(note, options.runAs()),
    query: (query) => runUserQuery(query, options.runAs()),
  })
  const rulesOf = transportRules()
  const cutthrough = createCutthrough({
    callout,
    target: (address, context) => routing.target(address, context),
    rewriteHeaders: (headers, rules, context) => rewriteHeaders(headers, context, { rules: rulesOf(rules) }),
  })
  const auth = createAuthService(configuration.authenticators)
  const doors = createDoors()
  const dmarc = createDmarcService(submit)
  const etrn = createEtrn({
    run: async (request) => (await options.queue()).run(request),
    command: (request) => doors.runCommand(request),
    environment: (context) => doors.environment(context),
    onFault: (error) => server.fault('ETRN', error),
  })
  let delivery: Promise<Delivery> | undefined
  const wantDelivery = (): Promise<Delivery> => (delivery ??= openDelivery())

  async function openDelivery(): Promise<Delivery> {
    const spool = await store.spool('write')
    const runAs = options.runAs()
    const { debug } = server.context()
    const deps: DeliveryDeps = {
      server: server.facts,
      settings: server.settings,
      debug,
      trace: undefined,
      ports: server.ports,
      transports,
      route: (recipients, context, how) => routing.route(recipients, context, how),
      systemFilter: (context) => routing.systemFilter(context),
      submit,
      changeDomains: changeHeaderDomains,
      rewriteHeaders: (headers, rules, context) =>
        rewriteHeaders(headers, context, { rules: rulesOf(rules) }),
      following: followingIn(spool, options.openedQueue),
      ...(runAs === undefined ? {} : { runAs }),
    }
    return createDelivery(deps)
  }

  async function delivering(): Promise<DeliverMessage> {
    const made = await wantDelivery()
    return async (claim, order) => {
      const recorded = server.recorder?.delivery(claim.id, server.ports)
      const watched = debugged(claim, server, recorded?.watched)
      try {
        return await made.deliver(claim, options.pretend ? { ...order, pretend: true } : order, watched)
      } finally {
        recorded?.finish()
      }
    }
  }

  async function submit(message: GeneratedMessage): Promise<Submitted> {
    if (takeReportBounce(message, server)) return { is: 'accepted', id: message.about }
    const foreground = options.openedQueue()?.foreground === true
    return submitGenerated(message, server, { ...(await receiving()), foreground })
  }

  // The same for all sessions: thousands of them share it.
  let services: Promise<ReceiveServices> | undefined
  function receiving(): Promise<ReceiveServices> {
    services ??= makeServices()
    return services
  }

  async function makeServices(): Promise<ReceiveServices> {
    const spool = await store.spool('write')
    const waiting = await options.queue()
    return {
      context: server.context(),
      spool,
      // A recorded session sets it: docs/decisions/building.md, "Copies of objects get no new properties".
      watch: undefined,
      accepted(message: SpooledMessage, how) {
        if (how.next !== 'deliver') return
        const begin = (): void => waiting.accepted(message, orderOf(how))
        if (how.held === undefined) begin()
        else void keepHeld(how.held, wantDelivery).finally(begin)
      },
      shutdown: new AbortController().signal,
      load: () => loadavg()[0] ?? 0,
      rewriting: createRewriting(configuration.rewrite),
      auth,
      etrn,
      cutthrough,
      debugPorts,
      dmarc,
      async tellFrozen(envelope, to) {
        const notice = await arrivedFrozen(envelope, to, server.context())
        if (notice.recipients.length > 0) await submitGenerated(notice, server, await receiving())
      },
      async expn(address, context) {
        const tested = await routing.test(address, 'expn', context)
        return { is: tested.exitCode === 0 ? 'ok' : 'fail', lines: tested.lines }
      },
    }
  }

  return {
    routing,
    delivering,
    receiving,
    async close() {
      const opened = await delivery?.catch(() => undefined)
      opened?.close()
    },
  }
}

/** The connection that a callout held open goes to the deliveries, which may take it up. */
async function keepHeld(held: HeldOpen, delivery: () => Promise<Delivery>): Promise<void> {
  const free = await held.free()
  if (free !== undefined) (await delivery()).keep(free)
}

/** Further messages on a connection that one was sent on: each an attempt of this queue. */
function followingIn(spool: Spool, queue: () => DeliveryQueue | undefined): Following {
  return {
    begin: (work) => queue()?.during(work),
    fits(id, queueName) {
      if (queue()?.stopped !== false) return 'not now'
      const entry = spool.entry(id)
      if (entry === undefined || entry.frozen) return 'never'
      return entry.claimedBy === undefined && entry.queueName === queueName ? 'now' : 'not now'
    },
    async deliver(id, handed) {
      await queue()?.deliver(id, { queueRun: true, handed })
    },
  }
}

/** `control = debug` goes with a message into the queue: its deliveries write into the same file. */
function debugged(claim: Claim, server: Server, watched: Watched | undefined): Watched | undefined {
  const kept = claim.message.envelope.extra?.['debugLog']
  if (!isDebugLogging(kept)) return watched
  const file = server.log.debugFile?.(kept.tag)
  if (file === undefined) return watched
  const wanted = debugSelection(kept.opts)
  const debug = (category: string, line: string): void => {
    if (isDebugged(category, wanted)) file.write(`${line}\n`)
  }
  return { ...watched, debug, ports: debugPorts(watched?.ports ?? server.ports, debug, () => undefined) }
}

function isDebugLogging(value: unknown): value is DebugLogging {
  return typeof value === 'object' && value !== null && 'tag' in value && 'opts' in value
}

/** How the delivery of a message just accepted is made. */
export function orderOf({ later }: Accepted): DeliveryOrder {
  return later === undefined ? {} : { later }
}
