/** A client whose first bytes are a test's own: what a proxy sends before its client's words. */
import { connect, type Socket } from 'node:net'

export interface RawClient {
  readonly socket: Socket
  /** Port that this end has. */
  readonly port: number
  /** All that has been heard so far. */
  heard(): string
  send(bytes: string): void
  /** Resolves with all that has been heard once it matches; rejects after the limit. */
  hears(pattern: RegExp, limitMs?: number): Promise<string>
  /** Sends a line and resolves with what is said to it, up to the end of a reply. */
  say(line: string): Promise<string>
  /** Resolves with all that has been heard once the other end has closed. */
  closed(limitMs?: number): Promise<string>
  end(): void
}

/** Loopback has more than one address; a server may take this one for a proxy's. */
export const proxyAddress = '127.0.0.2'

/** Connects, and sends the pieces one by one, each in a packet of its own when there is `pauseMs` between them. */
export async function connectRaw(
  port: number,
  pieces: readonly string[] = [],
  options: { readonly from?: string; readonly pauseMs?: number } = {},
): Promise<RawClient> {
  const socket = connect({
    port,
    host: '127.0.0.1',
    localAddress: options.from ?? proxyAddress,
    noDelay: true,
  })
  let text = ''
  let gone = false
  const listeners = new Set<() => void>()
  const changed = (): void => {
    for (const listener of listeners) listener()
  }
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1')
    changed()
  })
  socket.on('error', () => undefined)
  socket.once('close', () => {
    gone = true
    changed()
  })
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  const until = (what: string, done: () => boolean, limitMs: number): Promise<string> =>
    new Promise((resolve, reject) => {
      const finish = (error?: Error): void => {
        clearTimeout(timer)
        listeners.delete(look)
        if (error === undefined) resolve(text)
        else reject(error)
      }
      const look = (): void => {
        if (done()) finish()
        else if (gone) finish(new Error(`closed before ${what}; heard ${JSON.stringify(text)}`))
      }
      const timer = setTimeout(() => finish(new Error(`not ${what}; heard ${JSON.stringify(text)}`)), limitMs)
      listeners.add(look)
      look()
    })
  for (const piece of pieces) {
    socket.write(piece, 'latin1')
    if (options.pauseMs !== undefined) await new Promise((resolve) => setTimeout(resolve, options.pauseMs))
  }
  return {
    socket,
    port: socket.localPort ?? 0,
    heard: () => text,
    send: (bytes) => void socket.write(bytes, 'latin1'),
    hears: (pattern, limitMs = 10_000) => until(String(pattern), () => pattern.test(text), limitMs),
    async say(line) {
      const before = text.length
      socket.write(`${line}\r\n`, 'latin1')
      await until(`a reply to ${line}`, () => /^\d{3}(?: .*)?\r\n/m.test(text.slice(before)), 10_000)
      return text.slice(before)
    },
    closed: (limitMs = 10_000) => until('the end', () => gone, limitMs),
    end: () => void socket.destroy(),
  }
}
