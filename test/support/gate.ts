/** A door in front of a real server: open, or held (connections are taken and nothing passes), or shut (connections are refused). */
import { connect, createServer, type Server, type Socket } from 'node:net'

export interface Gate {
  readonly port: number
  set(state: 'held' | 'open' | 'shut'): Promise<void>
  close(): Promise<void>
}

export async function startGate(target: number): Promise<Gate> {
  const sockets = new Set<Socket>()
  let state: 'held' | 'open' | 'shut' = 'open'
  let server: Server | undefined
  let port = 0
  const keep = (socket: Socket): void => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => sockets.delete(socket))
    if (state === 'held') socket.pause()
  }
  const listen = (): Promise<void> =>
    new Promise((resolve) => {
      server = createServer((client) => {
        const behind = connect(target, '127.0.0.1')
        for (const [from, to] of [
          [client, behind],
          [behind, client],
        ] as const) {
          keep(from)
          from.on('data', (bytes) => to.write(bytes))
          from.on('close', () => to.destroy())
          if (state === 'held') from.pause()
        }
      })
      server.listen(port, '127.0.0.1', resolve)
    })
  const shut = async (): Promise<void> => {
    const closing = server
    server = undefined
    for (const socket of sockets) socket.destroy()
    if (closing !== undefined) await new Promise<void>((resolve) => closing.close(() => resolve()))
  }
  await listen()
  const address = (server as Server | undefined)?.address()
  port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    port,
    async set(next) {
      state = next
      if (next === 'shut') return shut()
      if (server === undefined) await listen()
      for (const socket of sockets) {
        if (next === 'held') socket.pause()
        else socket.resume()
      }
    },
    close: shut,
  }
}
