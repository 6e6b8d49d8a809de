/** How places, answers and errors of an smtp delivery are told. */
import type { ByteString } from '../../../base/text.ts'
import type { PooledConnection } from '../pool.ts'
import {
  type AddressOutcome,
  type DeliveryError,
  errorNumbers,
  type HostAt,
  type RemoteDiagnostic,
} from '../results.ts'
import type { Place } from './smtp-hosts.ts'

/** For `H=` on log lines. */
export function hostLine(place: Place, connection: PooledConnection | undefined): HostAt {
  return {
    name: place.name,
    address: place.address,
    port: place.port,
    localAddress: connection?.localAddress,
    localPort: connection?.localPort,
    continued: (connection?.messages ?? 0) > 1,
    dnssec: place.dnssec,
    tls: connection?.tls,
  }
}

/** For bounces. */
export function diagnostic(place: Place, reply: ByteString | undefined): RemoteDiagnostic {
  return { host: place.name, address: place.address, reply }
}

/**
 * `H=name [address]: what went wrong`, or without the colon when the system's sentence is all; with the port where
 * `outgoing_port` wants it.
 */
export function hostErrorLine(place: Place, error: DeliveryError, withPort: boolean): ByteString {
  const about = `H=${place.name} [${place.address}]${withPort ? `:${place.port}` : ''}`
  if (error.message === undefined) return `${about} ${error.errorText ?? ''}`
  const system = error.errno > 0 && error.errorText !== undefined ? `: ${error.errorText}` : ''
  return `${about}: ${error.message}${system}`
}

/** A deferral for which no other server is to blame. */
export function deferredBy(message: ByteString, errno: number = errorNumbers.unknown): AddressOutcome {
  return { is: 'deferred', error: { errno, more: 0, message } }
}

/** For `A=`: `name`, `name:id`, `name:id:sender` with AUTH= of MAIL where that is to be logged. */
export function authenticatorField(
  { authenticated }: PooledConnection,
  authSender: ByteString | undefined,
): ByteString | undefined {
  if (authenticated === undefined) return undefined
  if (authenticated.id === undefined) return authenticated.name
  const sender = authSender === undefined ? '' : `:${authSender}`
  return `${authenticated.name}:${authenticated.id}${sender}`
}
