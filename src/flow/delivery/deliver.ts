/** One delivery attempt of one message, from routing to its end. Source: ARCHITECTURE, steps 10 to 15. */
import { isFailure } from '../../base/outcome.ts'
import { taint, textOf, type ByteString } from '../../base/text.ts'
import type { Context, Trace } from '../../ports.ts'
import type { Claim } from '../../store/spool/api.ts'
import { type RoutedAddress, waitingNumbers } from '../routed.ts'
import { Attempt, type DeliveryOptions, type SharedState } from './attempt.ts'
import type { DeliveryDeps, Watched } from './deps.ts'
import { expandedInteger } from './expanding.ts'
import { finish } from './finish.ts'
import { frozenVerdict } from './frozen.ts'
import { batches, type BatchLimits } from './group.ts'
import { deliveryContext } from './message-facts.ts'
import { deliverWrapped } from './mua-wrapper.ts'
import { addressContext, batchContext } from './raise.ts'
import { expectDiscarded, leaveForLater, recordBatch, recordDiscarded, recordUnrouted } from './record.ts'
import { type DeliverySummary, errorNumbers, type TransportResult } from './results.ts'
import { changeDomains } from './change-domains.ts'
import { withShadow } from './shadow.ts'
import { takePlace } from './shared-places.ts'
import { type AfterSystemFilter, applySystemFilter } from './system-filter.ts'
import { readRetry, recipientRetryKey, routingRetryKey } from './retry/record.ts'
import type { Batch, DeliveryEnvironment, TransportDriver } from './transports/driver.ts'
import { transportDrivers } from './transports/index.ts'
import { localKey } from './transports/local.ts'
import { internalFault, refuseAll } from './transports/shared.ts'

export async function deliverMessage(
  claim: Claim,
  deps: DeliveryDeps,
  shared: SharedState,
  options: DeliveryOptions,
  watched?: Watched,
): Promise<DeliverySummary> {
  const context = await deliveryContext(deps, claim.message, watched)
  const attempt = new Attempt(claim, deps, shared, context, options)
  context.debug?.('deliver|v', `delivering ${claim.id}`)
  const frozen = await frozenVerdict(attempt)
  if (frozen !== undefined && frozen !== 'cancel') return frozen
  if (options.giveUp === true || frozen === 'cancel') {
    cancel(attempt)
    return finish(attempt)
  }
  if (goesInCircles(attempt)) {
    await failAll(attempt, 'Too many "Received" headers - suspected mail loop')
    return finish(attempt)
  }
  const filtered = await applySystemFilter(attempt)
  if (filtered.is === 'stop') return finish(attempt)
  const routed = await route(attempt, filtered)
  tellRouted(attempt, routed)
  if (context.settings.mua_wrapper) {
    return deliverWrapped(attempt, routed, {
      isLocal: (one) => driverOf(one).local,
      run: (addresses) => tryBatch(attempt, addresses, false),
    })
  }
  await deliverAll(attempt, routed)
  context.debug?.('deliver', `end delivery of ${claim.id}`)
  return finish(attempt)
}

/** For `-d`: what delivery begins with. */
function tellRouted({ context, deferred, failed }: Attempt, routed: readonly RoutedAddress[]): void {
  const { debug } = context
  if (debug === undefined) return
  debug('deliver', 'After routing:')
  const parts: readonly (readonly [string, readonly { readonly address: ByteString }[]])[] = [
    ['Local deliveries', routed.filter((one) => driverOf(one).local)],
    ['Remote deliveries', routed.filter((one) => !driverOf(one).local)],
    ['Failed addresses', failed],
    ['Deferred addresses', deferred],
  ]
  for (const [name, addresses] of parts) {
    debug('deliver', `  ${name}:`)
    for (const { address } of addresses) debug('deliver', `    ${address}`)
  }
}

/** `-Mg`: what is left fails without being tried; its bounce gives no reason, as Exim's. */
function cancel(attempt: Attempt): void {
  for (const recipient of attempt.marks.pending()) {
    attempt.marks.expect(recipient, recipient.address)
    attempt.failed.push({
      address: recipient.address,
      recipient,
      ancestors: [],
      key: recipient.address,
      errorsTo: undefined,
      message: '',
      diagnostic: undefined,
      returnedOutput: undefined,
      hidden: false,
      ignoreErrors: false,
    })
  }
}

/** Source: Exim manual, "received_headers_max"; our own line counts, and the system filter is not asked. */
function goesInCircles({ envelope, context }: Attempt): boolean {
  const received = envelope.headers.filter((header) => header.type === 'P').length
  return received > context.settings.received_headers_max
}

async function failAll(attempt: Attempt, message: ByteString): Promise<void> {
  for (const recipient of attempt.marks.pending()) {
    const { address } = recipient
    attempt.marks.expect(recipient, address)
    await recordUnrouted(attempt, {
      address,
      recipient,
      ancestors: [],
      routerName: undefined,
      is: 'failed',
      message,
    })
  }
}

/** Runs what is pending through the routers; gives the addresses that transports get. */
async function route(
  attempt: Attempt,
  { generated, recipients }: AfterSystemFilter,
): Promise<RoutedAddress[]> {
  const { marks, deps } = attempt
  const pending = recipients ? marks.pending() : []
  if (pending.length === 0 && generated === undefined) return []
  const result = await deps.route(pending, attempt.context, {
    generated,
    force: attempt.options.force ?? false,
    queueRun: attempt.options.queueRun ?? false,
    mustWait: (address, domain) => mustWait(attempt, address, domain),
  })
  if (result.domainChanges !== undefined && result.domainChanges.length > 0) {
    await changeDomains(attempt, result.domainChanges)
  }
  const todo: RoutedAddress[] = []
  for (const routed of result.routed) {
    if (marks.isDelivered(routed)) continue
    marks.expect(routed.recipient, marks.keyOf(routed))
    todo.push(routed)
  }
  const unrouted = result.unrouted.filter((one) => !marks.isReported(one))
  // All are expected before one is settled, or its recipient would count as done while the others wait.
  for (const one of unrouted) marks.expect(one.recipient, marks.unroutedKey(one))
  const over = result.discarded.filter((one) => expectDiscarded(attempt, one))
  for (const [i, discarded] of over.entries()) {
    recordDiscarded(attempt, discarded)
    // A message may have a hundred thousand recipients.
    if (i % recordsATurn === recordsATurn - 1) await new Promise((resolve) => setImmediate(resolve))
  }
  for (const one of unrouted) await recordUnrouted(attempt, one)
  // All that came of a recipient may have been done before, or have failed: then the recipient is done, too.
  const seen = new Set([...result.routed, ...result.unrouted].map(({ recipient }) => recipient))
  for (const recipient of pending) {
    if (seen.has(recipient) && !marks.isOpen(recipient)) marks.markRedirected(recipient.address)
  }
  return todo
}

/** Log lines of so many addresses are written before others get their turn. */
const recordsATurn = 200

/**
 * In queue runs an address waits for the retry time of its domain, of itself, or of it and this sender; outside of
 * them `queue_domains` leaves it to one.
 */
async function mustWait(
  attempt: Attempt,
  address: ByteString,
  domain: ByteString,
): Promise<{ readonly message: ByteString; readonly errno?: number } | undefined> {
  if (attempt.options.force === true) return undefined
  const { ports, settings } = attempt.context
  if (attempt.options.queueRun !== true) {
    const left = settings.queue_domains
    if (left === undefined) return undefined
    const found = await ports.matchList('domain', left, domain, attempt.context)
    if (found.is === 'no') return undefined
    const message = found.is === 'match' ? 'domain is in queue_domains' : `queue_domains: ${found.message}`
    return { message, errno: waitingNumbers.queueDomain }
  }
  const now = ports.now()
  const keys = [
    routingRetryKey(domain.toLowerCase()),
    routingRetryKey(address.toLowerCase()),
    recipientRetryKey(address.toLowerCase(), attempt.envelope.sender),
  ]
  for (const key of keys) {
    const record = readRetry(ports.hints, key, now, settings.retry_data_expire)
    if (record !== undefined && now < record.nextTryAt && !record.expired) {
      return { message: 'retry time not reached' }
    }
  }
  return undefined
}

/** Local deliveries one after the other, then the remote ones side by side. */
async function deliverAll(attempt: Attempt, routed: readonly RoutedAddress[]): Promise<void> {
  const local: RoutedAddress[] = []
  const remote: RoutedAddress[] = []
  const { handed } = attempt.options
  for (const one of routed) {
    // On a connection that was handed on only that host gets its part.
    if (handed !== undefined && one.transport.name !== handed.transportName) leaveForLater(attempt, one)
    else (driverOf(one).local ? local : remote).push(one)
  }
  const localBatches = local.length === 0 ? [] : await grouped(attempt, local)
  for (const [i, batch] of localBatches.entries()) {
    await runBatch(attempt, batch, true)
    if (i < localBatches.length - 1 || remote.length > 0) await attempt.save()
  }
  if (remote.length === 0) return
  if (attempt.options.localOnly === true) {
    for (const one of remote) {
      await noteLeft(attempt, one)
      leaveForLater(attempt, one)
    }
    return
  }
  const now = await withoutLater(attempt, remote)
  if (now.length === 0) return
  const remoteBatches = await grouped(attempt, await sortedByDomain(attempt, now))
  if (remoteBatches.length === 1) {
    // The usual case: one place, one transaction.
    await runBatch(attempt, remoteBatches[0] ?? [], false)
    return
  }
  let next = 0
  let running = 0
  let stopped = false
  const { context } = attempt
  const lane = async (): Promise<void> => {
    const own = context.trace?.within?.(context) ?? context
    for (;;) {
      const batch = stopped ? undefined : remoteBatches[next++]
      if (batch === undefined) return
      running++
      try {
        await runBatch(attempt, batch, false, own)
        if (running > 1 || next < remoteBatches.length) await attempt.save()
      } catch (error) {
        // The spool refuses marks: nothing more is begun that could not be remembered.
        stopped = true
        throw error
      } finally {
        running--
      }
    }
  }
  const lanes = Math.max(1, Math.min(attempt.context.settings.remote_max_parallel, remoteBatches.length))
  // All lanes end before the claim is given up, or another process could deliver the same again.
  const ends = await Promise.allSettled(Array.from({ length: lanes }, lane))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
}

/**
 * Sorts out what only a queue run sends: all of it with `-odqs` and `control = queue/first_pass_route`, else the
 * domains of `queue_smtp_domains`. Each address decides for itself, as the manual has it: Exim 4.96 leaves all
 * addresses of such a batch behind.
 */
async function withoutLater(attempt: Attempt, remote: readonly RoutedAddress[]): Promise<RoutedAddress[]> {
  const { later, queueRun, force } = attempt.options
  const { settings, ports } = attempt.context
  const domains = settings.queue_smtp_domains
  if (queueRun === true || force === true || (later === undefined && domains === undefined))
    return [...remote]
  const now: RoutedAddress[] = []
  for (const one of remote) {
    const explicit = later === 'all'
    const listed =
      later !== undefined ||
      (domains !== undefined &&
        (await ports.matchList('domain', domains, one.facts.domain, addressContext(attempt.context, one)))
          .is !== 'no')
    if (!listed) {
      now.push(one)
      continue
    }
    const error = explicit
      ? { errno: 0, more: 0, message: 'SMTP delivery explicitly queued' }
      : {
          errno: errorNumbers.unknown,
          more: 0,
          message: 'first-pass only routing due to -odqs, queue_smtp_domains or control=queue',
        }
    await noteLeft(attempt, one)
    const left = refuseAll([one], { is: 'deferred', error, notTried: 'queued' }, 0)
    await recordBatch(attempt, left, false)
  }
  return now
}

/** A queue run finds the hosts that it waits for. Source: Exim manual, "-odqs", "-qq". */
async function noteLeft(attempt: Attempt, routed: RoutedAddress): Promise<void> {
  await driverOf(routed).leave?.(routed, addressContext(attempt.context, routed), attempt.claim.id)
}

/** Source: Exim manual, "remote_sort_domains": in the order of the list's items; what none matches comes last. */
async function sortedByDomain(
  attempt: Attempt,
  remote: readonly RoutedAddress[],
): Promise<readonly RoutedAddress[]> {
  const { settings, ports } = attempt.context
  const list = settings.remote_sort_domains
  if (list === undefined || remote.length < 2) return remote
  const value = await ports.expand(list, attempt.context)
  if (isFailure(value)) {
    ports.log.panic(attempt.claim.id, `failed to expand "remote_sort_domains": ${value.message}`)
    return remote
  }
  const items = ports.splitList(value)
  const ranks = new Map<RoutedAddress, number>()
  for (const one of remote) {
    let rank = 0
    for (const item of items) {
      const domain = taint(one.facts.domain, '$domain')
      if ((await ports.matchListText('domain', item, domain, attempt.context)).is === 'match') break
      rank++
    }
    ranks.set(one, rank)
  }
  return [...remote].sort((a, b) => (ranks.get(a) ?? 0) - (ranks.get(b) ?? 0))
}

async function grouped(attempt: Attempt, addresses: readonly RoutedAddress[]): Promise<RoutedAddress[][]> {
  if (addresses.length === 1) return [[...addresses]]
  const limits = new Map<RoutedAddress, BatchLimits>()
  for (const one of addresses) {
    limits.set(one, await driverOf(one).limits(one, addressContext(attempt.context, one)))
  }
  // Every address has an entry.
  return batches(addresses, (one) => limits.get(one) as BatchLimits)
}

function driverOf(routed: RoutedAddress): TransportDriver {
  const driver = transportDrivers[routed.transport.driver]
  // The configuration was read with the index of drivers, so a missing one is a bug.
  if (driver === undefined) throw new Error(`no transport driver ${routed.transport.driver}`)
  return driver
}

async function runBatch(
  attempt: Attempt,
  addresses: readonly RoutedAddress[],
  local: boolean,
  outer: Context = attempt.context,
): Promise<void> {
  if (addresses.length > 0)
    await recordBatch(attempt, await tryBatch(attempt, addresses, local, outer), local)
}

/**
 * @param addresses at least one
 * @param outer that of the lane in which it goes on beside others
 */
async function tryBatch(
  attempt: Attempt,
  addresses: readonly RoutedAddress[],
  local: boolean,
  outer: Context = attempt.context,
): Promise<TransportResult> {
  const first = addresses[0] as RoutedAddress
  const driver = driverOf(first)
  const context = batchContext(outer, addresses)
  const { delivery } = context
  const returnPath = await returnPathOf(attempt, first, context)
  if ('problem' in returnPath) {
    const what = `Failed to expand return path "${first.transport.settings.return_path?.text}"`
    const message = `${what}${local ? ` in ${first.transport.name} transport` : ''}: ${returnPath.problem}`
    if (local) attempt.context.ports.log.panic(attempt.claim.id, message)
    const error = { errno: local ? errorNumbers.expansionFailed : errorNumbers.unknown, more: 0, message }
    const { transport } = first
    return {
      hosts: [],
      addresses: addresses.map((routed) => ({
        routed,
        outcome: {
          is: 'deferred',
          error,
          ...(local ? { retryKey: localKey(routed.address, { transport }) } : {}),
        },
        deliveryMs: 0,
      })),
    }
  }
  const batch = makeBatch(attempt, addresses, returnPath.address)
  // What its option matched is not for others to see.
  context.captures = []
  // The host list of a router is for a local transport to use as it likes: uux.
  if (local) delivery.hostList = first.hosts[0]?.list ?? first.hosts[0]?.name
  delivery.returnPath = batch.returnPath
  const early = await beforeBatch(attempt, batch, local)
  const { handed } = attempt.options
  const { pool, clock, tls } = attempt.shared
  const environment = { deps: attempt.deps, claim: attempt.claim, pool, clock, tls, handed }
  const names = addresses.map((one) => one.address).join(' ')
  context.debug?.('transport', `${local ? 'local delivery' : 'remote delivery'} to ${names}`)
  context.debug?.('transport', `${first.transport.name} transport entered (driver ${first.transport.driver})`)
  const step = context.trace?.begin('transport', `${first.transport.name} to ${names}`, first.transport.at)
  const tried = early ?? (await runLimited(driver, batch, context, environment))
  if (step !== undefined) tellTried(tried, step)
  context.debug?.('transport', `leaving ${first.transport.name} transport`)
  for (const { routed, outcome } of tried.addresses) {
    context.debug?.('deliver', `post-process ${routed.address}: ${outcome.is}`)
  }
  const result = local ? await withShadow(tried, batch, transportDrivers, context, environment) : tried
  return { ...result, returnPath: batch.returnPath }
}

/** For an explanation: what became of each address. The hosts that were tried stand there already. */
function tellTried({ addresses }: TransportResult, step: Trace): void {
  for (const { routed, outcome } of addresses) {
    const told =
      outcome.is === 'delivered'
        ? `delivered${outcome.confirmation === undefined ? '' : `: ${outcome.confirmation}`}`
        : `${outcome.is}: ${outcome.error.message ?? outcome.error.errorText ?? ''}`
    step.note('reply', routed.address, told)
  }
  step.end(addresses.map(({ outcome }) => outcome.is).join(', '))
}

/** Source: Exim manual, "max_parallel": beyond the limit the addresses wait for a later run. */
async function runLimited(
  driver: TransportDriver,
  batch: Batch,
  context: Context,
  environment: DeliveryEnvironment,
): Promise<TransportResult> {
  const { max_parallel } = batch.transport.settings
  if (max_parallel === undefined) return runDriver(driver, batch, context, environment)
  const most = await expandedInteger(max_parallel, context, 0)
  if (isFailure(most) || most < 0) {
    const message = isFailure(most) ? most.message : `non-negative integer expected but "${most}" found`
    const told = `Failed to expand max_parallel option in ${batch.transport.name} transport (${batch.addresses[0]?.address ?? ''}): ${message}`
    context.ports.log.panic(environment.claim.id, told)
    const error = { errno: errorNumbers.unknown, more: 0, message }
    return refuseAll(batch.addresses, { is: 'deferred', error }, 0)
  }
  if (most <= 0) return runDriver(driver, batch, context, environment)
  const give = await takePlace(context.ports.hints, `max_parallel ${batch.transport.name}`, most)
  if (give === undefined) {
    const message = `concurrency limit reached for transport ${batch.transport.name}`
    const error = { errno: errorNumbers.unknown, more: 0, message }
    return refuseAll(batch.addresses, { is: 'deferred', notTried: true, error }, 0)
  }
  try {
    return await runDriver(driver, batch, context, environment)
  } finally {
    give()
  }
}

/** A fault of ours in a transport concerns its batch alone. */
async function runDriver(
  driver: TransportDriver,
  batch: Batch,
  context: Context,
  environment: DeliveryEnvironment,
): Promise<TransportResult> {
  try {
    return await driver.run(batch, context, environment)
  } catch (error) {
    return refuseAll(batch.addresses, internalFault(error, batch, context, environment.claim.id), 0)
  }
}

/** Deliveries that are not begun: pretended (`-N`), or a local address whose retry time is not reached. */
async function beforeBatch(
  attempt: Attempt,
  batch: Batch,
  local: boolean,
): Promise<TransportResult | undefined> {
  if (attempt.options.pretend === true)
    return refuseAll(batch.addresses, { is: 'delivered', sizeBytes: 0 }, 0)
  if (!local || attempt.options.queueRun !== true || batch.force) return undefined
  const first = batch.addresses[0]
  if (first === undefined) return undefined
  const { ports, settings } = attempt.context
  const now = ports.now()
  const record = readRetry(ports.hints, localKey(first.address, batch), now, settings.retry_data_expire)
  if (record === undefined || record.expired || now >= record.nextTryAt) return undefined
  return refuseAll(
    batch.addresses,
    {
      is: 'deferred',
      notTried: true,
      error: { errno: errorNumbers.localRetryTime, more: 0, message: 'Retry time not yet reached' },
    },
    0,
  )
}

/** A forced failure leaves it as it is, a mistake defers. Source: Exim manual, transport option "return_path". */
async function returnPathOf(
  attempt: Attempt,
  first: RoutedAddress,
  context: Context,
): Promise<{ readonly address: ByteString } | { readonly problem: ByteString }> {
  const own = { address: first.errorsTo ?? attempt.envelope.sender }
  const option = first.transport.settings.return_path
  if (option === undefined) return own
  const value = await attempt.context.ports.expand(option, context)
  if (!isFailure(value)) return { address: textOf(value) }
  return value.kind === 'forced' ? own : { problem: value.message }
}

function makeBatch(attempt: Attempt, addresses: readonly RoutedAddress[], returnPath: ByteString): Batch {
  // Not empty: runBatch has looked.
  const first = addresses[0] as RoutedAddress
  // Without a queue there are no retry times.
  const force = attempt.options.force === true || attempt.context.settings.mua_wrapper
  return { transport: first.transport, addresses, returnPath, force }
}
