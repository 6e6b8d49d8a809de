/** Raises events of deliveries, where a transport or the main configuration listens. Source: Exim manual, "Events". */
import { isFailure } from '../../base/outcome.ts'
import { taint, textOf, type ByteString } from '../../base/text.ts'
import { splitAddress } from '../../mail/address.ts'
import type { HostLine } from '../../mail/delivery-lines.ts'
import type { Context } from '../../ports.ts'
import type { RoutedAddress } from '../routed.ts'
import type { Attempt } from './attempt.ts'
import type { HostOutcome } from './results.ts'

/** What an expansion sees while an address is at a transport. */
export function addressContext(
  context: Context,
  routed: RoutedAddress,
  host?: { readonly name: ByteString; readonly address: string; readonly port: number },
): Context {
  return {
    ...context,
    address: routed.facts,
    delivery: {
      routerName: routed.router.name,
      transportName: routed.transport.name,
      returnPath: routed.errorsTo ?? context.message?.sender ?? '',
      ...(host === undefined ? {} : { host: host.name, hostAddress: host.address, hostPort: host.port }),
    },
  }
}

function listens(routed: RoutedAddress): boolean {
  return (
    routed.transport.settings.event_action !== undefined ||
    routed.transport.settings.tpda_delivery_action !== undefined ||
    Reflect.get(routed.transport.settings, 'tpda_host_defer_action') !== undefined
  )
}

/** An event of one address. The delivery has happened: what the action says changes nothing. */
export async function raiseForAddress(
  attempt: Attempt,
  routed: RoutedAddress,
  event: string,
  data: ByteString,
  host: HostLine | undefined,
): Promise<void> {
  if (!listens(routed)) return
  const value = await attempt.context.ports.raise(
    event,
    taint(data, '$event_data'),
    addressContext(attempt.context, routed, host),
  )
  if (isFailure(value)) attempt.log(`failed to expand event_action for ${event}: ${value.message}`)
  else if (textOf(value) !== '') attempt.log(`event_action for ${event} was ignored: ${textOf(value)}`)
}

/** An event of the message as a whole: the main section listens. */
export async function raiseForMessage(attempt: Attempt, event: string, data: ByteString): Promise<void> {
  if (attempt.context.settings.event_action === undefined) return
  await attempt.context.ports.raise(event, taint(data, '$event_data'), attempt.context)
}

/** An event of an address that no transport got: the main section listens. */
export async function raiseForUnrouted(
  attempt: Attempt,
  address: ByteString,
  event: string,
  data: ByteString,
): Promise<void> {
  if (attempt.context.settings.event_action === undefined) return
  const { localPart, domain } = splitAddress(address)
  await attempt.context.ports.raise(event, taint(data, '$event_data'), {
    ...attempt.context,
    address: { localPart, domain },
  })
}

/** An event of a connection. For those that may refuse, the text that does; else undefined. */
export async function raiseForConnection(
  event: 'tcp:connect' | 'tcp:close' | 'smtp:connect' | 'smtp:ehlo',
  data: ByteString,
  routed: RoutedAddress,
  place: { readonly name: ByteString; readonly address: string; readonly port: number },
  context: Context,
): Promise<ByteString | undefined> {
  if (!listens(routed)) return undefined
  const value = await context.ports.raise(
    event,
    taint(data, '$event_data'),
    addressContext(context, routed, place),
  )
  return isFailure(value) || textOf(value) === '' ? undefined : textOf(value)
}

/** An event of a host that was tried in vain. */
export async function raiseForHost(
  attempt: Attempt,
  host: HostOutcome,
  routed: RoutedAddress | undefined,
): Promise<void> {
  if (routed === undefined || !listens(routed)) return
  await attempt.context.ports.raise(
    'msg:host:defer',
    taint(host.error?.message ?? host.error?.errorText ?? '', '$event_data'),
    addressContext(attempt.context, routed, host.place),
  )
}
