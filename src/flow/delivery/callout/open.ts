/** Opens a connection for a callout, and tells the transport's events of it. Source: Exim manual, "Callout verification", "Events". */
import { Failure } from '../../../base/outcome.ts'
import { taint, type ByteString } from '../../../base/text.ts'
import type { EventName } from '../../../mail/events.ts'
import type { CalloutOptions } from '../../../policy/acl/verify/callout-options.ts'
import type { Context } from '../../../ports.ts'
import type { CalloutTarget } from '../../callout-types.ts'
import { type PooledConnection, poolKeyOf } from '../pool.ts'
import { errorNumbers } from '../results.ts'
import { authenticate } from '../transports/smtp-auth.ts'
import type { DialogueSteps } from '../transports/smtp-dialogue.ts'
import { connectedContext, heloAt } from '../transports/smtp-connected.ts'
import type { Place } from '../transports/smtp-hosts.ts'
import { interfaceFor } from '../transports/smtp-interface.ts'
import { trafficOctetOf } from '../transports/smtp-prepare.ts'
import { openSession, type SessionFailure } from '../transports/smtp-session.ts'
import { type TlsClientRoom, tlsWish } from '../transports/smtp-tls.ts'
import { calloutHelo, type CalloutSettings } from './places.ts'

export interface CalloutWork {
  readonly target: CalloutTarget
  readonly options: CalloutOptions
  readonly settings: CalloutSettings
  /** What expansions of the transport's options see. */
  readonly context: Context
  readonly tls: TlsClientRoom
}

/** A connection that may be used; `closed` must be called when it is given up. */
export interface OpenedCallout {
  readonly connection: PooledConnection
  /** Under which deliveries find it when it is left to them. */
  readonly poolKey: string
}

export async function openForCallout(
  work: CalloutWork,
  place: Place,
  dialogue?: DialogueSteps,
): Promise<OpenedCallout | SessionFailure> {
  const { target, settings, context, options } = work
  const helo = await calloutHelo(target.transport, settings, context)
  if (helo instanceof Failure) return failedSession(helo.message)
  const own = connectedContext(context, place, undefined)
  const localAddress = await interfaceFor(place, settings.interface, target.transport?.name ?? '', own)
  if (localAddress instanceof Failure) return failedSession(localAddress.message)
  const tls = await tlsWish(place, settings, own, work.tls, 'verify')
  const trafficOctet = await trafficOctetOf(settings, context)
  const unwanted = await raise('tcp:connect', '', place, context)
  if (unwanted !== undefined) return refusedByEvent(unwanted)
  if (target.transport?.settings.event_action !== undefined)
    tls.certificate = (depth, peerCertificate, facts) => {
      const { delivery } = context
      const under = delivery && { ...delivery, tls: { ...facts, peerCertificate } }
      return raise('tls:cert', String(depth), place, { ...context, delivery: under })
    }
  const opened = await openSession(place, {
    lmtp: settings.protocol === 'lmtp',
    helo,
    heloAt: target.transport === undefined ? undefined : heloAt(settings.helo_data, place, context),
    avoidEsmtp: false,
    localAddress,
    connectMs: options.connectSeconds * 1000,
    commandMs: options.timeoutSeconds * 1000,
    keepalive: settings.keepalive,
    trafficOctet,
    signal: context.signal,
    dialogue,
    tls,
    events: {
      banner: (reply) => raise('smtp:connect', reply, place, context),
      ehlo: (reply) => raise('smtp:ehlo', reply, place, context),
    },
  })
  let told = false
  const closed = (): void => {
    if (told) return
    told = true
    void raise('tcp:close', '', place, context)
  }
  if (opened.is === 'failed') {
    if (opened.connected === true) closed()
    return opened
  }
  const connection = await authenticated({ ...opened.connection, closed }, work, place)
  if ('is' in connection) return connection
  return {
    connection,
    poolKey: poolKeyOf(target.transport?.name ?? '', place, { helo, localAddress, trafficOctet, tls }),
  }
}

/** Ends a connection of ours, and says so. */
export function quitCallout(connection: PooledConnection): void {
  connection.client.quit()
  connection.closed?.()
}

async function authenticated(
  connection: PooledConnection,
  { settings, context }: CalloutWork,
  place: Place,
): Promise<PooledConnection | SessionFailure> {
  const outcome = await authenticate(connection, {
    place,
    settings,
    context,
    id: context.message?.id ?? '',
    mark: 65,
  })
  if (outcome.is === 'authenticated') return { ...connection, authenticated: outcome.as }
  if (outcome.is === 'none') return connection
  quitCallout(connection)
  return failedSession(outcome.error.message ?? 'authentication failed')
}

/** The transport that verifies listens; without one nobody does. The text of a refusal, else undefined. */
async function raise(
  event: EventName,
  data: ByteString,
  place: Place,
  context: Context,
): Promise<ByteString | undefined> {
  const { delivery } = context
  if (delivery === undefined) return undefined
  const at = { host: place.name, hostAddress: place.address, hostPort: place.port }
  const within = { ...context, delivery: { ...delivery, ...at } }
  const value = await context.ports.raise(event, taint(data, '$event_data'), within)
  return value === '' ? undefined : value
}

function refusedByEvent(text: ByteString): SessionFailure {
  return failedSession(text, errorNumbers.eventRefused)
}

export function failedSession(message: string, errno: number = errorNumbers.unknown): SessionFailure {
  return { is: 'failed', error: { errno, more: 0, message }, permanent: false, reply: undefined }
}
