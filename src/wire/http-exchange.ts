/**
 * One HTTP request and its answer, bounded in size and time; no redirection is followed. Names are looked up by the
 * resolver that is handed in. A door: it opens connections.
 */
import { request as requestHttp, type RequestOptions } from 'node:http'
import { request as requestHttps } from 'node:https'
import { isIP } from 'node:net'
import type { SecureContext } from 'node:tls'

export interface HttpRequest {
  readonly url: string
  readonly method: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer
  readonly timeoutMs: number
  readonly mostBytes: number
  /** Addresses of a host, in the order they are to be tried; empty: there are none now. */
  addresses(host: string): Promise<readonly string[]>
  /** What is trusted over https; left out: Node's own list. */
  readonly secureContext?: SecureContext | undefined
  /** The server need not prove who it is. */
  readonly anyCertificate?: boolean
  readonly signal?: AbortSignal | undefined
}

export type HttpAnswer =
  | {
      readonly is: 'answer'
      readonly status: number
      readonly contentType: string
      readonly body: Buffer
      readonly maxAgeSeconds: number | undefined
    }
  /** `certificate`: the server's certificate did not verify. */
  | { readonly is: 'failed'; readonly why: string; readonly certificate: boolean }

export async function exchangeHttp(request: HttpRequest): Promise<HttpAnswer> {
  let url: URL
  try {
    url = new URL(request.url)
  } catch {
    return failed(`"${request.url}" is no URL`)
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    return failed(`${url.protocol} is not spoken here`)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const addresses = isIP(host) === 0 ? await request.addresses(host) : [host]
  if (addresses.length === 0) return failed(`no address found for ${host}`)
  let last: HttpAnswer = failed('')
  for (const address of addresses.slice(0, 4)) {
    last = await exchangeWith(address, host, url, request)
    if (last.is === 'answer' || last.certificate) return last
  }
  return last
}

function failed(why: string, certificate = false): HttpAnswer & { is: 'failed' } {
  return { is: 'failed', why, certificate }
}

function exchangeWith(address: string, host: string, url: URL, how: HttpRequest): Promise<HttpAnswer> {
  return new Promise((resolve) => {
    const secure = url.protocol === 'https:'
    const options: RequestOptions = {
      host: address,
      port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
      path: `${url.pathname}${url.search}`,
      method: how.method,
      headers: { host: url.host, connection: 'close', 'user-agent': 'Postern', ...how.headers },
      agent: false,
    }
    const own = how.secureContext === undefined ? {} : { secureContext: how.secureContext }
    const request = secure
      ? requestHttps({
          ...options,
          ...own,
          servername: isIP(host) === 0 ? host : '',
          rejectUnauthorized: how.anyCertificate !== true,
        })
      : requestHttp(options)
    const timer = setTimeout(() => give(failed('timed out')), how.timeoutMs)
    const onAbort = (): void => give(failed('aborted'))
    how.signal?.addEventListener('abort', onAbort)
    function give(answer: HttpAnswer): void {
      clearTimeout(timer)
      how.signal?.removeEventListener('abort', onAbort)
      request.removeAllListeners('error')
      // A late error of a request nobody waits for must not end the process.
      request.on('error', () => {})
      request.destroy()
      resolve(answer)
    }
    request.on('error', (error: Error & { code?: string }) =>
      give(failed(error.message, isCertificateError(error))),
    )
    request.on('response', (response) => {
      const pieces: Buffer[] = []
      let size = 0
      response.on('data', (piece: Buffer) => {
        size += piece.length
        if (size > how.mostBytes) give(failed(`the answer is larger than ${how.mostBytes} bytes`))
        else pieces.push(piece)
      })
      response.on('error', (error) => give(failed(error.message)))
      response.on('aborted', () => give(failed('the answer broke off')))
      response.on('end', () =>
        give({
          is: 'answer',
          status: response.statusCode ?? 0,
          contentType: (response.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '',
          body: Buffer.concat(pieces),
          maxAgeSeconds: maxAge(response.headers['cache-control']),
        }),
      )
    })
    request.end(how.body)
  })
}

function isCertificateError({ code = '' }: { readonly code?: string }): boolean {
  return /CERT|SELF_SIGNED|ALTNAME|UNABLE_TO_(GET|VERIFY)|INVALID_CA|ISSUER/.test(code)
}

function maxAge(header: string | undefined): number | undefined {
  const found = /max-age=(\d+)/.exec(header ?? '')?.[1]
  return found === undefined ? undefined : Number(found)
}
