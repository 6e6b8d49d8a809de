/**
 * Tells systemd that the daemon is ready, or about to end. Source: sd_notify(3): a datagram to the socket that
 * NOTIFY_SOCKET names.
 */
import { openPosix } from '../base/posix.ts'
import { toBytes } from '../base/text.ts'

/**
 * @param message assignments, one a line: `READY=1`
 * @returns why it could not be told; undefined when it was, or when nobody wants to know
 */
export function tellServiceManager(message: string, environment = process.env): string | undefined {
  const path = environment['NOTIFY_SOCKET']
  if (path === undefined || path === '') return undefined
  // `@` stands for the zero byte of an abstract socket, which the datagram functions do not take.
  if (!path.startsWith('/')) return `NOTIFY_SOCKET=${path}: only sockets with a path are known`
  const posix = openPosix()
  if (typeof posix === 'string') return posix
  const socket = posix.openDatagram(path)
  if ('error' in socket) return `${path}: ${socket.error}`
  const wrong = socket.send(toBytes(message))
  socket.close()
  return wrong === undefined ? undefined : `${path}: ${wrong}`
}
