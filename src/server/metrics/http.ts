/** The door for those who read `/metrics`: a small HTTP server that answers GET and HEAD and nothing else. */
import { createServer } from 'node:http'
import type { Bind } from '../../wire/listener.ts'
import { contentType } from './exposition.ts'

export interface MetricsServerOptions {
  readonly bind?: Bind | undefined
  readonly address: string
  readonly port: number
  /** Undefined: no such page. */
  page(path: string): Promise<string | undefined>
  /** Whether this client may ask. */
  allowed(address: string): Promise<boolean>
  onError(problem: string): void
}

const mostConnections = 32
const patienceMs = 5000

/** @returns a function that closes it, or why it cannot listen */
export async function serveMetrics(
  options: MetricsServerOptions,
): Promise<{ readonly port: number; readonly close: () => void } | { readonly wrong: string }> {
  const server = createServer(
    {
      headersTimeout: patienceMs,
      requestTimeout: patienceMs,
      keepAliveTimeout: patienceMs,
      connectionsCheckingInterval: patienceMs,
      maxHeaderSize: 8192,
    },
    (request, response) => {
      const answer = (code: number, text: string, type = 'text/plain; charset=utf-8'): void => {
        response.writeHead(code, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text) })
        response.end(request.method === 'HEAD' ? '' : text)
      }
      const work = async (): Promise<void> => {
        if (!(await options.allowed(request.socket.remoteAddress ?? ''))) return answer(403, 'not for you\n')
        if (request.method !== 'GET' && request.method !== 'HEAD') return answer(405, 'GET or HEAD\n')
        const text = await options.page((request.url ?? '').replace(/\?.*/s, ''))
        return text === undefined
          ? answer(404, 'see /metrics, or /metrics/workers\n')
          : answer(200, text, contentType)
      }
      work().catch((error: unknown) => {
        options.onError(error instanceof Error ? error.message : String(error))
        response.destroy()
      })
    },
  )
  const bound = await options.bind?.(options)
  if (bound instanceof Error) return { wrong: bound.message }
  server.maxConnections = mostConnections
  server.maxRequestsPerSocket = 1000
  return new Promise((resolve) => {
    server.once('error', (error) => resolve({ wrong: error.message }))
    server.listen(bound ?? { host: options.address, port: options.port }, () => {
      server.on('error', (error) => options.onError(error.message))
      const at = server.address()
      resolve({
        port: typeof at === 'object' && at !== null ? at.port : options.port,
        close() {
          server.close()
          server.closeAllConnections()
        },
      })
    })
  })
}
