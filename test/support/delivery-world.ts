/** Delivery with a real configuration, real routing and real sockets; spool, hints and log in memory. */
import {
  createDelivery,
  type Delivery,
  type DeliveryOptions,
  type DeliverySummary,
} from '../../src/flow/delivery/index.ts'
import type { GeneratedMessage } from '../../src/flow/delivery/deps.ts'
import { rewriteHeaders } from '../../src/flow/routing/rewrite/index.ts'
import { rewriteRulesOf } from '../../src/language/config/rewrite.ts'
import type { Envelope } from '../../src/mail/envelope.ts'
import { logSelectors } from '../../src/mail/log-selectors.ts'
import type { Context } from '../../src/ports.ts'
import type { Resolver } from '../../src/wire/dns/resolver.ts'
import { createMemoryHints } from '../../src/store/hints/index.ts'
import { envelopeOf, MemoryClaim } from './memory-claim.ts'
import { createWorld } from './routing-world.ts'

export interface DeliveryWorld {
  readonly delivery: Delivery
  /** Lines of the main log, without time and id. */
  readonly log: string[]
  readonly submitted: GeneratedMessage[]
  readonly context: Context
  /** Moves the clock. */
  pass(seconds: number): void
  claim(to: readonly string[], parts?: Partial<Envelope>, body?: string): MemoryClaim
  deliver(claim: MemoryClaim, options?: DeliveryOptions): Promise<DeliverySummary>
  close(): void
}

export interface DeliveryWorldOptions {
  readonly selectors?: readonly string[]
  /** Left out: no name server answers. */
  readonly resolver?: Resolver
  /** Left out: none are known. */
  readonly hints?: Context['ports']['hints']
  readonly onRaise?: (event: string, data: string, context: Context) => string
}

export function deliveryWorld(configuration: string, options: DeliveryWorldOptions = {}): DeliveryWorld {
  const world = createWorld(configuration, {
    localInterfaces: [],
    ...(options.resolver === undefined ? {} : { resolver: options.resolver }),
  })
  const log: string[] = []
  const submitted: GeneratedMessage[] = []
  let ahead = 0
  const on = new Set<string>(
    Object.entries(logSelectors)
      .filter(([, row]) => row.default)
      .map(([name]) => name),
  )
  for (const name of options.selectors ?? []) on.add(name)
  const ports: Context['ports'] = {
    ...world.context.ports,
    hints: options.hints ?? createMemoryHints(),
    now: () => Date.now() + ahead,
    raise: (event, data, context) =>
      options.onRaise?.(event, typeof data === 'string' ? data : data.text, context) ?? '',
    log: {
      selects: (selector) => on.has(selector),
      main: (_id, line) => log.push(line),
      reject: (_id, line) => log.push(line),
      panic: (_id, line) => log.push(`panic: ${line}`),
    },
  }
  const context = { ...world.context, ports }
  const delivery = createDelivery({
    server: context.server,
    settings: context.settings,
    ports,
    transports: world.configuration.transports,
    route: (recipients, inner, routing) => world.routing.route(recipients, inner, routing),
    rewriteHeaders: (headers, rules, inner) =>
      rewriteHeaders(headers, inner, { rules: rewriteRulesOf(rules, () => {}) }),
    submit: async (message) => {
      submitted.push(message)
      return { is: 'accepted', id: `1xVgS4-000000-${submitted.length}0` }
    },
  })
  return {
    delivery,
    log,
    submitted,
    context,
    pass: (seconds) => {
      ahead += seconds * 1000
    },
    claim: (to, parts = {}, body = 'body line\n.dot\n') =>
      new MemoryClaim(
        envelopeOf({ recipients: to.map((address) => ({ address })), bodySize: body.length, ...parts }),
        body,
      ),
    deliver: async (claim, how = {}) => {
      claim.again()
      return delivery.deliver(claim, how)
    },
    close: () => delivery.close(),
  }
}
