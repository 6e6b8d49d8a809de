/** Takes over what became of addresses and hosts: log lines, marks, retry hints. */
import { splitAddress, unquotedLocalPart } from '../../mail/address.ts'
import type { RouterInstance } from '../../language/config/configuration.ts'
import { locate } from '../../base/diagnostic.ts'
import { unreachable } from '../../base/outcome.ts'
import { type ByteString, asciiLower } from '../../base/text.ts'
import type { LogFacts } from '../../ports.ts'
import type { Recipient } from '../../mail/envelope.ts'
import {
  type AddressLine,
  deferredBody,
  deferredLine,
  deliveredLine,
  failedLine,
  timedOutLine,
} from '../../mail/delivery-lines.ts'
import { type DiscardedAddress, type RoutedAddress, type UnroutedAddress, waitingNumbers } from '../routed.ts'
import type { Attempt } from './attempt.ts'
import { discardedKey, type Marks } from './marks.ts'
import { type AddressEvent, errorSentence, eventErrno, raiseForBatch, raiseForUnrouted } from './raise.ts'
import {
  type AddressOutcome,
  type AddressResult,
  errorNumbers,
  type HostOutcome,
  type TransportResult,
  type RemoteDiagnostic,
} from './results.ts'
import { forgetFailure, rememberFailure } from './retry/remember.ts'
import { localRetryKey, recipientRetryKey, routingRetryKey } from './retry/record.ts'

/** Writes down what a transport made of a batch. */
export async function recordBatch(attempt: Attempt, result: TransportResult, local: boolean): Promise<void> {
  const raised: AddressEvent[] = []
  const { expired, nextTryAt } = await recordHosts(attempt, result, raised)
  /** Hosts that took an address: what they take beside it is told with `->`. */
  const told = new Set<string>()
  for (const one of result.addresses) {
    raised.push(...addressEvents(one, local))
    if (one.outcome.is !== 'deferred' || one.outcome.notTried !== true)
      attempt.context.ports.count?.('deliveries_total', one.routed.transport.name, one.outcome.is)
    if (one.outcome.is === 'delivered') {
      const place = one.outcome.host === undefined ? '' : one.outcome.host.address
      recordDelivered(attempt, one, one.outcome, {
        local,
        first: !told.has(place),
        returnPath: result.returnPath,
      })
      told.add(place)
    } else {
      const how = { local, returnPath: result.returnPath }
      await recordUndelivered(attempt, one, one.outcome, how, { expired, nextTryAt })
    }
  }
  await raiseForBatch(attempt, raised)
}

/** What events an address makes: the same result that its log line is made from. */
function addressEvents({ routed, outcome }: AddressResult, local: boolean): AddressEvent[] {
  const about = { routed, host: outcome.host }
  switch (outcome.is) {
    case 'delivered':
      return [{ ...about, event: 'msg:delivery', data: outcome.confirmation ?? '' }]
    case 'failed':
      return [{ ...about, event: 'msg:fail:delivery', data: errorSentence(outcome.error) }]
    case 'deferred': {
      // Errors of hosts and of messages are told by msg:host:defer and msg:defer.
      if (outcome.notTried === true) return []
      if (!local && outcome.retryKey === undefined) return []
      const { error } = outcome
      return [{ ...about, event: 'msg:rcpt:defer', data: errorSentence(error), errno: eventErrno(error) }]
    }
    default:
      return unreachable(outcome)
  }
}

/** A host that could not be used; of an error of the message alone, the host did not defer. */
function hostEvents(host: HostOutcome, routed: RoutedAddress | undefined): AddressEvent[] {
  if (routed === undefined || host.error === undefined || host.untold === true) return []
  const about = { routed, host: host.place, data: errorSentence(host.error), errno: host.error.errno }
  const deferred: AddressEvent = { ...about, event: 'msg:defer' }
  return host.ofMessage ? [deferred] : [{ ...about, event: 'msg:host:defer' }, deferred]
}

interface HostsVerdict {
  /** Every host that was tried has failed for longer than its rules allow. */
  readonly expired: boolean
  /** When the first of them may be tried again. */
  readonly nextTryAt: number | undefined
}

async function recordHosts(
  attempt: Attempt,
  result: TransportResult,
  raised: AddressEvent[],
): Promise<HostsVerdict> {
  let allExpired = result.hosts.length > 0 && result.passedOverUntil === undefined
  // Hosts that `hosts_max_try` kept from being tried may take it in the next run.
  let nextTryAt = result.hostsLeft === true ? attempt.context.ports.now() : result.passedOverUntil
  for (const host of result.hosts) {
    if (host.error === undefined) {
      forgetFailure(attempt.context.ports.hints, host.retryKey)
      allExpired = false
      continue
    }
    if (host.line !== undefined && host.untold !== true) {
      attempt.log(host.line)
      attempt.note(host.line)
    }
    raised.push(...hostEvents(host, result.addresses[0]?.routed))
    // The message is done: nothing is left to wait for.
    if (host.untold === true) continue
    const record = await rememberFailure(attempt.context, attempt.envelope, {
      key: host.retryKey,
      subject: host.hostName,
      alternative: host.domain,
      error: host.error,
      ofMessage: host.ofMessage,
      host: host.line === undefined ? undefined : host.place,
    })
    if (record === undefined) continue
    if (!record.expired) allExpired = false
    nextTryAt = Math.min(nextTryAt ?? record.nextTryAt, record.nextTryAt)
  }
  return { expired: allExpired, nextTryAt }
}

function recordDelivered(
  attempt: Attempt,
  result: AddressResult,
  outcome: AddressOutcome & { readonly is: 'delivered' },
  how: { readonly local: boolean; readonly first: boolean; readonly returnPath: ByteString | undefined },
): void {
  const { local, first } = how
  const { routed } = result
  const now = attempt.context.ports.now()
  attempt.delivered++
  attempt.marks.settle(routed.recipient, attempt.marks.keyOf(routed))
  forgetAddress(attempt, routed, local)
  if (!routed.disableLogging && !routed.transport.settings.disable_logging) {
    const line = addressLine(attempt, routed, local && routed.logAsLocal)
    const bypassed = outcome.bypassed === true
    const flag = attempt.options.pretend === true ? '*>' : first ? '=>' : '->'
    attempt.log(
      deliveredLine(
        {
          shown: outcome.shownAs ?? line.shown,
          special: line.special,
          original: line.original,
          parents: line.parents,
          sender: line.sender,
          returnPath: bypassed ? undefined : (how.returnPath ?? line.returnPath),
          router: line.router,
          transport: bypassed ? '**bypassed**' : line.transport,
          flag,
          queueName: attempt.envelope.queueName,
          sizeBytes: outcome.sizeBytes,
          host: outcome.host,
          localHosts: local ? routed.hosts[0]?.name : undefined,
          authenticator: outcome.authenticator,
          pipelined: outcome.pipelined ?? false,
          early: outcome.early ?? false,
          chunked: outcome.chunked ?? false,
          prdr: outcome.prdr ?? false,
          confirmation: outcome.confirmation,
          shadow: outcome.shadow,
          queueMs: now - attempt.envelope.receivedAt,
          deliveryMs: result.deliveryMs,
        },
        attempt.selects,
      ),
      routerFacts(routed.router, 'delivery'),
    )
  }
  attempt.note(`${routed.address}: ${routed.transport.name} transport succeeded`)
  if (routed.recipient.dsn?.notify.includes('success') === true && outcome.dsnPassedOn !== true) {
    attempt.successes.push({
      routed,
      remote: outcome.host && { host: outcome.host.name, reply: outcome.confirmation },
    })
  }
}

/** A success clears what was held against the address. */
function forgetAddress(attempt: Attempt, routed: RoutedAddress, local: boolean): void {
  const { hints } = attempt.context.ports
  const address = routed.address.toLowerCase()
  const domain = routed.facts.domain.toLowerCase()
  forgetFailure(hints, routingRetryKey(domain))
  forgetFailure(hints, routingRetryKey(address))
  if (local) {
    forgetFailure(hints, localRetryKey(address))
    forgetFailure(hints, localRetryKey(domain))
  } else {
    forgetFailure(hints, recipientRetryKey(address, attempt.envelope.sender))
  }
}

async function recordUndelivered(
  attempt: Attempt,
  result: AddressResult,
  outcome: Exclude<AddressOutcome, { readonly is: 'delivered' }>,
  how: { readonly local: boolean; readonly returnPath: ByteString | undefined },
  hosts: HostsVerdict,
): Promise<void> {
  const { local, returnPath } = how
  const { routed } = result
  if (outcome.is === 'failed') {
    giveUp(attempt, routed, outcome, { deliveryMs: result.deliveryMs, returnPath })
    return
  }
  if (outcome.notTried === 'elsewhere') {
    leaveForLater(attempt, routed)
    return
  }
  logDeferral(attempt, routed, outcome, result.deliveryMs)
  let { expired, nextTryAt } = hosts
  // No retry rule is for a mistake in the configuration: mail waits until it is mended.
  if (outcome.retryKey !== undefined && !isPanic(outcome)) {
    const record = await rememberFailure(attempt.context, attempt.envelope, {
      key: outcome.retryKey,
      subject: local && !outcome.retryKey.includes('@') ? routed.facts.domain : routed.address,
      error: outcome.error,
      ofMessage: outcome.error.errno === errorNumbers.mailboxFull,
      host: outcome.host,
    })
    expired = record === undefined || record.expired
    nextTryAt = record?.nextTryAt
  } else if (outcome.notTried !== undefined && outcome.notTried !== false) {
    expired = false
  }
  if (expired) {
    timeOut(attempt, routed, outcome)
    return
  }
  if (outcome.freeze === true) attempt.freezeWanted ??= ''
  attempt.deferred.push({
    address: routed.address,
    recipient: routed.recipient,
    ancestors: routed.ancestors,
    key: attempt.marks.keyOf(routed),
    error: outcome.error,
    told: tellable(outcome),
    hidden: routed.hiddenInReports === true,
    diagnostic: spokenTo(outcome),
    nextTryAt,
    freeze: outcome.freeze ?? false,
    errorsTo: routed.errorsTo,
    oneTime: routed.oneTime,
  })
}

/** Not tried in this attempt: no line, no retry time. */
export function leaveForLater(attempt: Attempt, routed: RoutedAddress): void {
  attempt.deferred.push({
    address: routed.address,
    recipient: routed.recipient,
    ancestors: routed.ancestors,
    key: attempt.marks.keyOf(routed),
    error: { errno: 0, more: 0, message: 'remote deliveries are left for a later run' },
    told: undefined,
    hidden: routed.hiddenInReports === true,
    diagnostic: undefined,
    nextTryAt: undefined,
    freeze: false,
    errorsTo: routed.errorsTo,
    oneTime: routed.oneTime,
    ...(attempt.options.handed === undefined ? {} : { untouched: true as const }),
  })
}

function giveUp(
  attempt: Attempt,
  routed: RoutedAddress,
  outcome: AddressOutcome & { readonly is: 'failed' },
  how: { readonly deliveryMs: number; readonly returnPath: ByteString | undefined },
): void {
  const message = whole(outcome.error)
  const shown = addressLine(attempt, routed, false)
  const line = failedLine(
    {
      ...shown,
      returnPath: how.returnPath ?? shown.returnPath,
      host: outcome.host,
      message: message === '' ? undefined : message,
      deliveryMs: how.deliveryMs,
    },
    attempt.selects,
  )
  attempt.log(line, routerFacts(routed.router, 'failure'))
  attempt.note(line)
  if (outcome.freeze === true) attempt.freezeWanted ??= ''
  attempt.failed.push({
    address: routed.address,
    recipient: routed.recipient,
    ancestors: routed.ancestors,
    key: attempt.marks.keyOf(routed),
    errorsTo: routed.errorsTo,
    message: outcome.bounceText ?? message,
    diagnostic: outcome.diagnostic,
    returnedOutput: outcome.returnedOutput,
    hidden: routed.hiddenInReports === true,
    ignoreErrors: routed.ignoreErrors === true,
  })
}

/** `Connection timed out: SMTP timeout after ...`, or one of the two. */
function whole(error: {
  readonly errno: number
  readonly errorText?: string | undefined
  readonly message: ByteString | undefined
}): ByteString {
  if (error.errno <= 0 || error.errorText === undefined) return error.message ?? ''
  return error.message === undefined ? error.errorText : `${error.errorText}: ${error.message}`
}

/** What a sender may know of a deferral, the last or not: what another server replied, a full mailbox. Observed of Exim 4.96. */
function tellable(outcome: AddressOutcome & { readonly is: 'deferred' }): ByteString | undefined {
  if (outcome.bounceText !== undefined) return outcome.bounceText
  if (outcome.error.errno === errorNumbers.mailboxFull) return 'mailbox is full'
  return outcome.diagnostic?.reply === undefined ? undefined : whole(outcome.error)
}

/** The host that a report names: one that answered. */
function spokenTo({
  host,
  diagnostic,
}: AddressOutcome & { readonly is: 'deferred' }): RemoteDiagnostic | undefined {
  return host === undefined && diagnostic?.reply === undefined ? undefined : diagnostic
}

function timeoutExceeded(reason: ByteString | undefined): ByteString {
  return `${reason === undefined ? '' : `${reason}: `}retry timeout exceeded`
}

/** After the last retry rule's cutoff: the deferral was the last. */
function timeOut(
  attempt: Attempt,
  routed: RoutedAddress,
  outcome: AddressOutcome & { readonly is: 'deferred' },
): void {
  const line = timedOutLine(routed.address, routed.ancestors[0] ?? replacedBy(attempt, routed.recipient))
  attempt.log(line)
  attempt.note(line)
  attempt.failed.push({
    address: routed.address,
    recipient: routed.recipient,
    ancestors: routed.ancestors,
    key: attempt.marks.keyOf(routed),
    errorsTo: routed.errorsTo,
    message: timeoutExceeded(tellable(outcome)),
    timedOut: true,
    diagnostic: spokenTo(outcome),
    returnedOutput: outcome.returnedOutput,
    hidden: routed.hiddenInReports === true,
    ignoreErrors: routed.ignoreErrors === true,
  })
}

/** Such as count in the retry rules, and some more. Observed of Exim 4.96. */
const onlyInMainLog =
  /^(?:failed to expand (?:authenticated_sender|helo_data|message_size_limit|string)\b|Expansion of [\s\S]* \(socket setting for )/

const mistake =
  /^(?:Expansion of |Tainted |Transport filter process failed |transport filter process failed \(-?\d+\) while writing |Malformed value |\S+ transport called with no hosts set|failed to expand |Failed to expand (?:headers_add|return path) )/

/** A mistake in the configuration of a transport: Exim 4.96 tells of it in the panic log, too. */
function isPanic({ host, error }: AddressOutcome & { readonly is: 'deferred' }): boolean {
  const message = error.message ?? ''
  // The second number: what stands around a message, and a return path, are told of before.
  if (host !== undefined || error.errno > 0 || onlyInMainLog.test(message)) return false
  return error.errno !== errorNumbers.expansionFailed && mistake.test(message)
}

function logDeferral(
  attempt: Attempt,
  routed: RoutedAddress,
  outcome: AddressOutcome & { readonly is: 'deferred' },
  deliveryMs: number,
): void {
  const line = {
    ...addressLine(attempt, routed, false),
    ...(outcome.shownAs === undefined ? {} : { shown: outcome.shownAs }),
    host: outcome.host,
    errno: outcome.error.errno,
    errorText: outcome.error.errorText,
    message: outcome.error.message,
    deliveryMs,
  }
  const retryOnly = outcome.notTried === true
  if (!retryOnly || attempt.selects('retry_defer')) {
    const text = deferredLine(line, attempt.selects)
    const facts = routerFacts(routed.router, 'deferral')
    if (isPanic(outcome)) attempt.context.ports.log.panic(attempt.claim.id, text, facts)
    else attempt.log(text, facts)
  }
  if (!retryOnly || attempt.envelope.firstDelivery) attempt.note(deferredBody(line, attempt.selects))
}

/** How an address is shown: of a local delivery only its local part, the recipient behind it. */
function addressLine(attempt: Attempt, routed: RoutedAddress, local: boolean): AddressLine {
  const shown = shownOf(routed, local)
  return {
    shown,
    special: routed.special !== undefined,
    original:
      local || routed.special !== undefined
        ? askedFor(attempt, routed.recipient)
        : originalOf(attempt, routed, shown),
    // What `unseen` put between is the address itself.
    parents: routed.ancestors.slice(0, -1),
    sender: attempt.envelope.sender,
    returnPath: routed.errorsTo ?? attempt.envelope.sender,
    // The system filter is no router.
    router: routed.router.name === '' ? undefined : routed.router.name,
    transport: routed.transport.name,
  }
}

/** As the router saw it, in lower case unless it has `caseful_local_part`, without quotes: observed of Exim 4.96. */
function shownOf({ special, address, facts, transport }: RoutedAddress, local: boolean): ByteString {
  if (special !== undefined) return shownSpecial(address)
  const { prefix = '', localPart, suffix = '', domain } = facts
  const shown = transport.settings.rcpt_include_affixes ? `${prefix}${localPart}${suffix}` : localPart
  return local ? shown : `${shown}@${domain}`
}

/** An address that no transport gets, as the router that decided saw it. */
function shownUnrouted({ special, address, shown }: UnroutedAddress): ByteString {
  if (special === true) return shownSpecial(shown ?? address)
  if (shown !== undefined) return shown
  const { localPart, domain } = splitAddress(address)
  return `${asciiLower(unquotedLocalPart(localPart))}@${asciiLower(domain)}`
}

/** A name of a filter's that is no path yet (`inbox`). */
function shownSpecial(address: ByteString): ByteString {
  return /^[/|>]/.test(address) ? address : `save ${address}`
}

/** The recipient in whose place `one_time` has put this one. */
function replacedBy({ envelope }: Attempt, { parent }: Recipient): ByteString | undefined {
  return parent === undefined ? undefined : envelope.recipients[parent]?.address
}

/** The recipient as the message came with it: `one_time` puts others in its place. */
function askedFor(attempt: Attempt, recipient: Recipient): ByteString {
  return replacedBy(attempt, recipient) ?? recipient.address
}

/** Behind other ancestors it is named even where it is the same. */
function originalOf(
  attempt: Attempt,
  { recipient, ancestors }: Pick<RoutedAddress, 'recipient' | 'ancestors'>,
  shown: ByteString,
): ByteString | undefined {
  const original = askedFor(attempt, recipient)
  const isLast = ancestors.length < 2 || !attempt.selects('all_parents')
  return shown === original && isLast ? undefined : original
}

function routerFacts(router: RouterInstance | undefined, event: string): LogFacts {
  return { event, decidedBy: router === undefined ? undefined : placeOf(router) }
}

/** Found once: each delivery names its router's. */
const places = new WeakMap<RouterInstance, LogFacts['decidedBy']>()

function placeOf(router: RouterInstance): LogFacts['decidedBy'] {
  let place = places.get(router)
  if (place === undefined) {
    const { file, line } = locate(router.at)
    places.set(router, (place = { name: router.name, file, line }))
  }
  return place
}

/** The router of an address that no transport gets. */
function routerOf(attempt: Attempt, name: string | undefined): RouterInstance | undefined {
  return attempt.context.server.configuration.routers.find((router) => router.name === name)
}

/** Writes down what routing made of addresses that no transport gets. */
export async function recordUnrouted(attempt: Attempt, unrouted: UnroutedAddress): Promise<void> {
  const key = attempt.marks.unroutedKey(unrouted)
  const line = {
    special: unrouted.special === true,
    shown: shownUnrouted(unrouted),
    original: originalOf(attempt, unrouted, shownUnrouted(unrouted)),
    parents: unrouted.ancestors.slice(0, -1),
    sender: attempt.envelope.sender,
    returnPath: undefined,
    router: unrouted.routerName,
    transport: unrouted.transportName,
    message: unrouted.message,
    deliveryMs: 0,
  }
  attempt.marks.expect(unrouted.recipient, key)
  const about = {
    address: unrouted.address,
    recipient: unrouted.recipient,
    ancestors: unrouted.ancestors,
    key,
    errorsTo: unrouted.errorsTo,
    diagnostic: undefined,
  }
  if (unrouted.is === 'failed') {
    const text = failedLine(line, attempt.selects)
    attempt.log(text, routerFacts(routerOf(attempt, unrouted.routerName), 'failure'))
    attempt.note(text)
    await raiseForUnrouted(attempt, unrouted, unrouted.message)
    if (unrouted.freeze === true) attempt.freezeWanted ??= ''
    attempt.failed.push({
      ...about,
      message: unrouted.untold === true ? '' : unrouted.message,
      returnedOutput: undefined,
      hidden: unrouted.hiddenInReports === true,
      ignoreErrors: unrouted.ignoreErrors === true,
    })
    return
  }
  const errno =
    unrouted.errno ?? (unrouted.retryDefer === true ? errorNumbers.routingRetryTime : errorNumbers.unknown)
  const error = { errno, more: 0, message: unrouted.message }
  const hidden = unrouted.hiddenInReports === true
  const untilLater = { ...about, error, told: unrouted.userMessage, hidden }
  const deferral = {
    ...line,
    errno,
    routing: unrouted.retryDefer === true && errno !== waitingNumbers.held,
  }
  const retryOnly = errno === errorNumbers.routingRetryTime
  if (!retryOnly || attempt.selects('retry_defer')) {
    const text = deferredLine(deferral, attempt.selects)
    const facts = routerFacts(routerOf(attempt, unrouted.routerName), 'deferral')
    if (unrouted.panic === true) attempt.context.ports.log.panic(attempt.claim.id, text, facts)
    else attempt.log(text, facts)
  }
  if (!retryOnly) attempt.context.ports.count?.('deliveries_total', '', 'deferred')
  attempt.note(deferredBody(deferral, attempt.selects))
  if (unrouted.freeze === true) attempt.freezeWanted ??= ''
  const whole = unrouted.address.toLowerCase()
  const subject = unrouted.retryUseLocalPart === true ? whole : whole.slice(whole.lastIndexOf('@') + 1)
  if (attempt.context.settings.mua_wrapper) {
    // No retry rules: whoever delivers at once or not at all says what becomes of it.
    attempt.deferred.push({ ...untilLater, nextTryAt: undefined, freeze: false })
    return
  }
  const record =
    unrouted.retryDefer === true
      ? undefined
      : await rememberFailure(attempt.context, attempt.envelope, {
          key: routingRetryKey(subject),
          subject,
          error,
          ofMessage: false,
        })
  if (unrouted.retryDefer !== true && unrouted.freeze !== true && (record === undefined || record.expired)) {
    const text = timedOutLine(line.shown, unrouted.ancestors[0] ?? replacedBy(attempt, unrouted.recipient))
    attempt.log(text)
    attempt.note(text)
    attempt.failed.push({
      ...about,
      message: timeoutExceeded(unrouted.userMessage),
      timedOut: true,
      returnedOutput: undefined,
      hidden: unrouted.hiddenInReports === true,
      ignoreErrors: unrouted.ignoreErrors === true,
    })
    return
  }
  attempt.deferred.push({
    ...untilLater,
    nextTryAt: record?.nextTryAt,
    freeze: unrouted.freeze ?? false,
    oneTime: unrouted.oneTime,
  })
}

/**
 * An address that is done without delivery, or with that of its like, before any is settled.
 * @returns true: it is done now
 */
export function expectDiscarded({ marks }: Attempt, discarded: DiscardedAddress): boolean {
  const { recipient, duplicateOf } = discarded
  const key = keyOfDiscarded(marks, discarded)
  const leader = duplicateOf && { recipient: duplicateOf.recipient, key: marks.keyOf(duplicateOf) }
  if (leader !== undefined && marks.expects(leader)) {
    marks.follow(recipient, key, leader)
    return false
  }
  // What it is a duplicate of was done in an attempt before.
  marks.expect(recipient, key)
  return true
}

/** Writes it down. */
export function recordDiscarded(attempt: Attempt, discarded: DiscardedAddress): void {
  const { marks } = attempt
  const { recipient } = discarded
  const key = keyOfDiscarded(marks, discarded)
  const before = marks.has(key)
  marks.settle(recipient, key)
  if (before || discarded.loggedAs === undefined) return
  attempt.log(
    `=> ${discarded.loggedAs} <${recipient.address}> R=${discarded.routerName}`,
    routerFacts(routerOf(attempt, discarded.routerName), 'delivery'),
  )
}

function keyOfDiscarded(marks: Marks, discarded: DiscardedAddress): ByteString {
  const { recipient, ancestors, duplicateOf } = discarded
  if (duplicateOf === undefined) return discardedKey(discarded)
  return marks.keyOf({ uniqueKey: duplicateOf.uniqueKey, recipient, ancestors })
}
