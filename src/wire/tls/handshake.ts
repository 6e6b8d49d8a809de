/** Waits for a TLS handshake, within its limit. */
import type { TLSSocket } from 'node:tls'
import type { TlsFacts } from '../../ports.ts'

/** Kinds of failure that TLS reports tell apart. Source: RFC 8460 section 4.3. */
export type TlsResultType =
  | 'starttls-not-supported'
  | 'certificate-host-mismatch'
  | 'certificate-expired'
  | 'certificate-not-trusted'
  | 'validation-failure'
  | 'tlsa-invalid'
  | 'dnssec-invalid'
  | 'dane-required'
  | 'sts-policy-fetch-error'
  | 'sts-policy-invalid'
  | 'sts-webpki-invalid'

export type Upgraded =
  | {
      readonly is: 'started'
      readonly socket: TLSSocket
      readonly facts: TlsFacts
      /** The server's certificates, when they were asked for. */
      readonly chain?: readonly Buffer[] | undefined
      /** What was found of the certificate and did not stop the session. */
      readonly unverified?: { readonly why: string; readonly result: TlsResultType } | undefined
    }
  | { readonly is: 'failed'; readonly why: string; readonly result?: TlsResultType | undefined }

/** @param stage before the reason of a handshake that failed */
export function finishHandshake(
  secured: TLSSocket,
  event: 'secure' | 'secureConnect',
  timeoutMs: number,
  judge: () => Upgraded | Promise<Upgraded>,
  stage: '' | '(SSL_connect): ' = '',
): Promise<Upgraded> {
  return new Promise((resolve) => {
    const failed = (why: string): void => give({ is: 'failed', why: `${stage}${why}` })
    const timer = setTimeout(() => failed('timed out'), Math.min(timeoutMs, 2 ** 31 - 1))
    const onError = (error: Error): void => failed(shortReason(error))
    const onClose = (): void => failed('the connection was closed')
    const onSecure = (): void => {
      const verdict = judge()
      // What the other side says meanwhile waits: nobody listens yet.
      if (!(verdict instanceof Promise)) give(verdict)
      else verdict.then(give, (error: unknown) => failed(String(error)))
    }
    function give(result: Upgraded): void {
      clearTimeout(timer)
      secured.off(event, onSecure)
      secured.off('close', onClose)
      secured.off('end', onClose)
      secured.off('error', onError)
      // A late error of a socket nobody listens to must not end the process.
      secured.on('error', () => {})
      if (result.is === 'failed') secured.destroy()
      resolve(result)
    }
    secured.on(event, onSecure)
    secured.on('error', onError)
    secured.on('close', onClose)
    // A half-open socket says `end`, not `close`, when the other side goes away in the middle.
    secured.on('end', onClose)
  })
}

/** OpenSSL's reason without its file names and numbers. */
export function shortReason(error: Error): string {
  const parts = error.message.trim().split(':')
  const inner = /^[0-9A-F]+$/i.test(parts[0] ?? '') ? (parts[5] ?? parts.at(-1)) : error.message
  return (inner ?? error.message).trim()
}
