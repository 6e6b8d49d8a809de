/** Raises events of deliveries, where a transport or the main configuration listens. Source: Exim manual, "Events". */
import { taint, type ByteString } from '../../base/text.ts'
import { splitAddress, unquotedLocalPart } from '../../mail/address.ts'
import type { AddressFacts, Context, DeliveryFacts, TlsFacts } from '../../ports.ts'
import { deliveryFacts } from '../delivery-facts.ts'
import type { RoutedAddress } from '../routed.ts'
import type { Attempt } from './attempt.ts'
import { type DeliveryError, errorNumbers } from './results.ts'

/** Where an address was delivered or tried. */
export interface EventHost {
  readonly name: ByteString
  readonly address: string
  readonly port: number
  /** Of the connection that it was sent over, for `$tls_out_...`. */
  readonly tls?: TlsFacts | undefined
}

/** What an expansion sees while an address is at a transport. */
export function addressContext(context: Context, routed: RoutedAddress, host?: EventHost): Context {
  const delivery = deliveryFacts(routed.router.name, routed.transport.name)
  delivery.returnPath = routed.errorsTo ?? context.message?.sender ?? ''
  if (host !== undefined) {
    delivery.host = host.name
    delivery.hostAddress = host.address
    delivery.hostPort = host.port
    delivery.tls = host.tls
  }
  return { ...context, address: routed.facts, delivery }
}

/**
 * What an expansion sees while addresses are at a transport together: nothing of the local parts, the domain when all share it,
 * and what routers found out about the first. No router is at work any more. Source: Exim manual, "Expansion variables derived
 * from the address"; what `$address_data` and its kin hold was observed of Exim 4.96.
 *
 * @param addresses at least one
 */
export function batchContext(
  context: Context,
  addresses: readonly RoutedAddress[],
): Context & { readonly delivery: DeliveryFacts } {
  const [first, ...others] = addresses as [RoutedAddress, ...RoutedAddress[]]
  const delivery = deliveryFacts('', first.transport.name)
  delivery.returnPath = first.errorsTo ?? context.message?.sender ?? ''
  delivery.addresses = addresses.map((one) => one.address)
  const address = others.length === 0 ? first.facts : sharedFacts(first, others)
  return { ...context, captures: [], address, delivery }
}

/** What is of one address alone. */
const ofOneAddress = [
  'casedLocalPart',
  'whole',
  'originalLocalPart',
  'originalDomain',
  'parentLocalPart',
  'parentDomain',
  'prefix',
  'prefixV',
  'suffix',
  'suffixV',
] as const

function sharedFacts({ facts }: RoutedAddress, others: readonly RoutedAddress[]): AddressFacts {
  const domain = facts.domain.toLowerCase()
  const isShared = others.every((other) => other.facts.domain.toLowerCase() === domain)
  const shared = { ...facts, localPart: '', domain: isShared ? facts.domain : '' }
  for (const name of ofOneAddress) delete shared[name]
  return shared
}

/** An event of one address, or of the host it was tried at. */
export interface AddressEvent {
  readonly event: 'msg:delivery' | 'msg:fail:delivery' | 'msg:rcpt:defer' | 'msg:defer' | 'msg:host:defer'
  readonly routed: RoutedAddress
  readonly data: ByteString
  readonly host: EventHost | undefined
  readonly errno?: number | undefined
}

/**
 * Raises what a batch came to. It has happened: the marks are on disk before any action runs, so that one that
 * hangs or kills the process repeats no delivery; what the actions say changes nothing.
 */
export async function raiseForBatch(attempt: Attempt, batch: readonly AddressEvent[]): Promise<void> {
  const raised: Promise<unknown>[] = []
  let before = (): Promise<unknown> => attempt.save()
  for (const { event, routed, data, host, errno } of batch) {
    const after = before
    const result = attempt.context.ports.raise(
      event,
      taint(data, '$event_data'),
      addressContext(attempt.context, routed, host),
      { errno, after },
    )
    if (typeof result === 'string') continue
    raised.push(result)
    before = () => result
  }
  await Promise.all(raised)
}

/** An event of the message as a whole: the main section listens. */
export async function raiseForMessage(
  attempt: Attempt,
  event: 'msg:complete',
  after: () => Promise<unknown>,
): Promise<void> {
  await attempt.context.ports.raise(event, '', attempt.context, { after })
}

/** An address that no transport got: the main section listens. */
export async function raiseForUnrouted(
  attempt: Attempt,
  unrouted: { readonly address: ByteString; readonly routerName?: string | undefined },
  data: ByteString,
): Promise<void> {
  const { localPart, domain } = splitAddress(unrouted.address)
  await attempt.context.ports.raise('msg:fail:internal', taint(data, '$event_data'), {
    ...attempt.context,
    address: { localPart: unquotedLocalPart(localPart), domain },
    delivery: { routerName: unrouted.routerName ?? '', transportName: '' },
  })
}

/** An event of a connection. For those that may refuse, the text that does; else undefined. */
export async function raiseForConnection(
  event: 'dane:fail' | 'tcp:connect' | 'tcp:close' | 'smtp:connect' | 'smtp:ehlo' | 'msg:rcpt:host:defer',
  data: ByteString,
  routed: RoutedAddress,
  place: { readonly name: ByteString; readonly address: string; readonly port: number },
  context: Context,
  errno?: number,
): Promise<ByteString | undefined> {
  const value = await context.ports.raise(
    event,
    taint(data, '$event_data'),
    addressContext(context, routed, place),
    { errno },
  )
  return value === '' ? undefined : value
}

/** The error of a deferral as events tell it. Source: requirement T4, observed of Exim 4.96. */
export function errorSentence(error: DeliveryError): ByteString {
  if (error.message === undefined) return error.errorText ?? ''
  return error.errno > 0 && error.errorText !== undefined
    ? `${error.message}: ${error.errorText}`
    : error.message
}

/** `$event_defer_errno`: the error of a RCPT command is told by its second number. */
export function eventErrno(error: DeliveryError): number {
  return error.errno === errorNumbers.rcpt4xx ? error.more : error.errno
}
