/**
 * The listening sockets of a daemon belong to its parent, which binds them for its workers (ports below 1024 need root)
 * and keeps them: while a worker that died is replaced, clients wait in the backlog and are not refused, and nobody else
 * can take the port. The parent itself never listens on them and accepts nothing.
 */
import net from 'node:net'
import { getSystemErrorName } from 'node:util'
import type { Bind, BoundSocket, ListenAddress } from '../../wire/listener.ts'
import type { Channel } from './messages.ts'

/** From a worker: it wants to listen there. */
interface BindRequest extends ListenAddress {
  readonly type: 'bind'
  readonly number: number
}
/** To it, beside the socket when there is one. */
interface BindAnswer {
  readonly type: 'bound'
  readonly number: number
  readonly code?: string
}

/** What Node binds a server's socket with; not part of its documentation, the same since version 0.6. */
interface Handle extends BoundSocket {
  close(): void
  getsockname(into: { port?: number }): number
}
const { _createServerHandle: bindSocket } = net as unknown as {
  readonly _createServerHandle: (
    address: string,
    port: number,
    family: 4 | 6,
    fd: number,
    flags: number,
  ) => Handle | number
}
const v6Only = 1

/** More no configuration has, and a worker gone bad gets no more. */
const mostSockets = 1000

/** The parent's side. */
export class SocketKeeper {
  readonly #sockets = new Map<string, Handle>()
  readonly #wanted = new Map<Channel, Set<string>>()

  attach(channel: Channel): void {
    const wanted = new Set<string>()
    this.#wanted.set(channel, wanted)
    channel.on('message', (raw) => {
      if (!isRequest(raw)) return
      const key = `${raw.address} ${raw.port}`
      const bound = this.#bind(key, raw)
      const answer: BindAnswer = { type: 'bound', number: raw.number }
      if (typeof bound === 'string') return void channel.send({ ...answer, code: bound })
      wanted.add(key)
      channel.send(answer, bound)
    })
  }

  /** Gives up what only others than these wanted. */
  keepOnly(channels: readonly Channel[]): void {
    for (const channel of this.#wanted.keys()) if (!channels.includes(channel)) this.#wanted.delete(channel)
    for (const [key, socket] of this.#sockets) {
      if ([...this.#wanted.values()].some((wanted) => wanted.has(key))) continue
      this.#sockets.delete(key)
      socket.close()
    }
  }

  #bind(key: string, { address, port }: ListenAddress): Handle | string {
    const held = this.#sockets.get(key)
    if (held !== undefined) return held
    if (this.#sockets.size >= mostSockets) return 'EMFILE'
    const family = net.isIP(address)
    if (family !== 4 && family !== 6) return 'EINVAL'
    const bound = bindSocket(address, port, family, -1, family === 6 ? v6Only : 0)
    if (typeof bound === 'number') return getSystemErrorName(bound)
    // A port that is taken is told only when one listens; until then the socket has another port, or none.
    const at: { port?: number } = {}
    const failed = bound.getsockname(at)
    if (failed !== 0 || (port !== 0 && at.port !== port)) {
      bound.close()
      return failed === 0 ? 'EADDRINUSE' : getSystemErrorName(failed)
    }
    this.#sockets.set(key, bound)
    return bound
  }
}

/** The worker's side. */
export function askForSockets(parent: Channel): Bind {
  const waiting = new Map<number, (bound: BoundSocket | Error) => void>()
  let next = 0
  parent.on('message', (raw, socket) => {
    if (!isAnswer(raw)) return
    const { code = 'EBADF' } = raw
    waiting.get(raw.number)?.(
      typeof socket === 'object' && socket !== null
        ? (socket as BoundSocket)
        : Object.assign(new Error(code), { code }),
    )
    waiting.delete(raw.number)
  })
  return ({ address, port }) =>
    new Promise((resolve) => {
      const request: BindRequest = { type: 'bind', number: next++, address, port }
      waiting.set(request.number, resolve)
      if (parent.send(request)) return
      waiting.delete(request.number)
      resolve(Object.assign(new Error('the parent is gone'), { code: 'ECONNRESET' }))
    })
}

function isRequest(raw: unknown): raw is BindRequest {
  if (typeof raw !== 'object' || raw === null || !('type' in raw) || raw.type !== 'bind') return false
  return (
    'number' in raw &&
    typeof raw.number === 'number' &&
    'address' in raw &&
    typeof raw.address === 'string' &&
    'port' in raw &&
    Number.isInteger(raw.port) &&
    Number(raw.port) >= 0 &&
    Number(raw.port) <= 65_535
  )
}

function isAnswer(raw: unknown): raw is BindAnswer {
  return typeof raw === 'object' && raw !== null && 'type' in raw && raw.type === 'bound'
}
