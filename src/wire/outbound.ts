/** Opens connections to other hosts: the only file of delivery that makes a TCP or Unix socket. */
import { createConnection, type Socket } from 'node:net'
import { markPackets } from './traffic-class.ts'

export interface OutboundTarget {
  /** An IP address. */
  readonly address: string
  readonly port: number
  /** Our own address to use, or undefined. */
  readonly localAddress?: string | undefined
  readonly timeoutMs: number
  readonly keepalive?: boolean
  /** Traffic class of what is sent. */
  readonly trafficOctet?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** `errno` is the system's number (111 for a refused connection); `message` the system's sentence. */
export type Connected =
  | { readonly is: 'connected'; readonly socket: Socket }
  | { readonly is: 'failed'; readonly errno: number; readonly message: string }

/** The system's words and numbers for what may go wrong with a connection, as Exim logs them. */
const systemErrors: Readonly<Record<string, readonly [number, string]>> = {
  EACCES: [13, 'Permission denied'],
  EADDRINUSE: [98, 'Address already in use'],
  EADDRNOTAVAIL: [99, 'Cannot assign requested address'],
  ECONNABORTED: [103, 'Software caused connection abort'],
  ECONNREFUSED: [111, 'Connection refused'],
  ECONNRESET: [104, 'Connection reset by peer'],
  EHOSTDOWN: [112, 'Host is down'],
  EHOSTUNREACH: [113, 'No route to host'],
  EMFILE: [24, 'Too many open files'],
  ENETDOWN: [100, 'Network is down'],
  ENETUNREACH: [101, 'Network is unreachable'],
  ENOENT: [2, 'No such file or directory'],
  EPERM: [1, 'Operation not permitted'],
  EPIPE: [32, 'Broken pipe'],
  ETIMEDOUT: [110, 'Connection timed out'],
}

/** Number and sentence of an error that Node reports by name. */
export function systemError(error: unknown): { readonly errno: number; readonly message: string } {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const known = systemErrors[code]
  if (known !== undefined) return { errno: known[0], message: known[1] }
  return { errno: -1, message: error instanceof Error ? error.message : String(error) }
}

/** Connects to an IP address and port, with a time limit. */
export async function connectTo(target: OutboundTarget): Promise<Connected> {
  const connected = await open(
    createConnection({
      host: target.address,
      port: target.port,
      ...(target.localAddress === undefined ? {} : { localAddress: target.localAddress }),
      noDelay: true,
      keepAlive: target.keepalive ?? true,
    }),
    target.timeoutMs,
    target.signal,
  )
  // What cannot be marked is sent all the same: Exim manual, option "dscp".
  if (connected.is === 'connected' && target.trafficOctet !== undefined)
    markPackets(connected.socket, target.trafficOctet)
  return connected
}

/** Connects to a Unix domain socket (the lmtp transport). */
export function connectToPath(path: string, timeoutMs: number, signal?: AbortSignal): Promise<Connected> {
  return open(createConnection({ path }), timeoutMs, signal)
}

function open(socket: Socket, timeoutMs: number, signal: AbortSignal | undefined): Promise<Connected> {
  return new Promise((resolve) => {
    const timer =
      timeoutMs > 0
        ? setTimeout(
            () => give({ is: 'failed', errno: 110, message: 'Connection timed out' }),
            Math.min(timeoutMs, 2 ** 31 - 1),
          )
        : undefined
    const onAbort = (): void => give({ is: 'failed', errno: 103, message: 'delivery was stopped' })
    const onError = (error: Error): void => give({ is: 'failed', ...systemError(error) })
    const onConnect = (): void => give({ is: 'connected', socket })
    function give(result: Connected): void {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      socket.off('connect', onConnect)
      if (result.is === 'failed') {
        // A late error of a socket that is given up has no other listener.
        socket.on('error', () => {})
        socket.destroy()
      } else {
        socket.off('error', onError)
      }
      resolve(result)
    }
    socket.on('connect', onConnect)
    socket.on('error', onError)
    if (signal?.aborted) onAbort()
    else signal?.addEventListener('abort', onAbort, { once: true })
  })
}
