/** The door to sockets that are asked one thing: Unix or TCP, with TLS when asked, bounded in time and answer. */
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { fromBytes, toBytes, type ByteString } from './text.ts'

export interface SocketRequest {
  /** Path of a Unix socket, or host and port. */
  readonly to: { readonly path: string } | { readonly host: string; readonly port: number }
  readonly request: ByteString
  readonly timeoutMs: number
  readonly shutdown: boolean
  readonly tls: boolean
  readonly answerLimitBytes: number
  readonly signal: AbortSignal | undefined
}
export type SocketResult =
  | { readonly is: 'answer'; readonly data: ByteString }
  | { readonly is: 'failed'; readonly message: string }

const sentences: Readonly<Record<string, string>> = {
  ENOENT: 'No such file or directory',
  ECONNREFUSED: 'Connection refused',
  EACCES: 'Permission denied',
  ENOTSOCK: 'Socket operation on non-socket',
  EHOSTUNREACH: 'No route to host',
  ENETUNREACH: 'Network is unreachable',
}

export function readSocket(request: SocketRequest): Promise<SocketResult> {
  return new Promise((resolve) => {
    const { to } = request
    const plain: Socket =
      'path' in to ? connect({ path: to.path }) : connect({ host: to.host, port: to.port })
    const where = 'path' in to ? `socket ${to.path}` : `any address for ${to.host}`
    let socket = plain
    let connected = false
    const chunks: Buffer[] = []
    let size = 0
    const end = (result: SocketResult) => {
      clearTimeout(timer)
      request.signal?.removeEventListener('abort', stop)
      socket.destroy()
      plain.destroy()
      resolve(result)
    }
    const failed = (error: NodeJS.ErrnoException) => {
      const reason = sentences[error.code ?? ''] ?? error.message
      end({
        is: 'failed',
        message: connected
          ? `error while reading from socket: ${reason}`
          : `failed to connect to ${where}: ${reason}`,
      })
    }
    const timer = setTimeout(() => {
      end({
        is: 'failed',
        message: connected ? 'socket read timed out' : `failed to connect to ${where}: Connection timed out`,
      })
    }, request.timeoutMs)
    const stop = () => end({ is: 'failed', message: 'aborted' })
    request.signal?.addEventListener('abort', stop)
    const talk = () => {
      connected = true
      if (request.request !== '') socket.write(toBytes(request.request))
      if (request.shutdown && !request.tls) socket.end()
    }
    const listen = () => {
      socket.on('data', (chunk: Buffer) => {
        size += chunk.length
        chunks.push(chunk)
        if (size > request.answerLimitBytes) end({ is: 'failed', message: 'answer from socket is too long' })
      })
      socket.on('end', () => end({ is: 'answer', data: fromBytes(Buffer.concat(chunks)) }))
      socket.on('error', failed)
    }
    if (!request.tls) {
      plain.on('connect', talk)
      listen()
      return
    }
    plain.on('error', failed)
    plain.on('connect', () => {
      connected = true
      socket = connectTls({ socket: plain, rejectUnauthorized: false }, talk)
      listen()
    })
  })
}
