/** Marks the packets that a connection sends: IP_TOS, IPV6_TCLASS. Source: RFC 2474; Exim manual, option "dscp". */
import { openPosix, type Posix } from '../base/posix.ts'

let posix: Posix | string | undefined

/**
 * @param socket a socket of Node, plain or with TLS upon it
 * @param octet the whole octet of the header
 * @returns why it could not be done
 */
export function markPackets(socket: object, octet: number): string | undefined {
  const fd = fdOf(socket)
  if (fd === undefined) return 'it is no socket of the network'
  // Loaded when it is first asked for.
  posix ??= openPosix()
  return typeof posix === 'string' ? posix : posix.setTrafficClass(fd, octet)
}

/** Node gives the number of a socket's file through its handle alone. */
function fdOf(socket: object): number | undefined {
  const handle: unknown = Reflect.get(socket, '_handle')
  const fd: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined
  return typeof fd === 'number' && fd >= 0 ? fd : undefined
}
