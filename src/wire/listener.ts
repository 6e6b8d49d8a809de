/** The door for incoming TCP: listens on addresses and ports and hands over accepted sockets. */
import { createServer, type Server, type Socket } from 'node:net'

export interface ListenAddress {
  /** An IP address; `::` and `0.0.0.0` for all. */
  readonly address: string
  readonly port: number
}

/** A socket that another process bound for us, as Node hands it over. */
export type BoundSocket = object
/** Where bound sockets come from when not from this process. */
export type Bind = (at: ListenAddress) => Promise<BoundSocket | Error>

export interface ListenerOptions {
  readonly bind?: Bind | undefined
  readonly addresses: readonly ListenAddress[]
  /** `smtp_connect_backlog`. */
  readonly backlog: number
  /** `smtp_accept_keepalive`. */
  readonly keepalive: boolean
  /** `tcp_nodelay`. */
  readonly noDelay: boolean
  readonly onSocket: (socket: Socket, listening: ListenAddress) => void
  readonly onError: (problem: string) => void
}

export interface Listener {
  /** What it really listens on: port 0 has become a number. */
  readonly addresses: readonly ListenAddress[]
  /** Takes no more connections; those there are stay. */
  close(): Promise<void>
}

export type ListenResult =
  | { readonly is: 'listening'; readonly listener: Listener }
  | { readonly is: 'failed'; readonly at: ListenAddress; readonly code: string; readonly message: string }

/**
 * Binds all addresses, or none: when one fails the others are given up again.
 */
export async function startListener(options: ListenerOptions): Promise<ListenResult> {
  const servers: Server[] = []
  const bound: ListenAddress[] = []
  for (const at of options.addresses) {
    const result = await listen(at, options)
    if (!(result instanceof Error)) {
      servers.push(result)
      bound.push({ address: at.address, port: portOf(result, at) })
      continue
    }
    await closeAll(servers)
    const code = 'code' in result ? String(result.code) : ''
    return { is: 'failed', at, code, message: result.message }
  }
  return { is: 'listening', listener: { addresses: bound, close: () => closeAll(servers) } }
}

async function listen(at: ListenAddress, options: ListenerOptions): Promise<Server | Error> {
  const bound = await options.bind?.(at)
  if (bound instanceof Error) return bound
  return new Promise((resolve) => {
    const server = createServer({
      allowHalfOpen: true,
      pauseOnConnect: false,
      noDelay: options.noDelay,
      keepAlive: options.keepalive,
      highWaterMark: 65_536,
    })
    server.on('connection', (socket) => {
      // Errors of a socket are the session's business; until it listens, they must not end the process.
      socket.on('error', ignore)
      options.onSocket(socket, { address: at.address, port: portOf(server, at) })
    })
    server.once('error', resolve)
    server.once('listening', () => {
      server.off('error', resolve)
      server.on('error', (error) => options.onError(error.message))
      resolve(server)
    })
    if (bound !== undefined) server.listen(bound, options.backlog)
    else
      server.listen({
        host: at.address,
        port: at.port,
        backlog: options.backlog,
        ipv6Only: at.address.includes(':'),
      })
  })
}

/** One for all sockets: an idle one owns no closure. */
function ignore(): void {}

function portOf(server: Server, at: ListenAddress): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : at.port
}

async function closeAll(servers: readonly Server[]): Promise<void> {
  await Promise.all(
    servers.map(
      (server) =>
        new Promise<void>((resolve) => {
          // Connections that go on do not hold up the caller: only the port is given up.
          server.close()
          resolve()
        }),
    ),
  )
}
