/** Reads a PROXY header from a connection before anything else does. */
import type { Readable } from 'node:stream'
import { parseProxyHeader, type ProxyHeader } from './header.ts'

/** `rest`: bytes that came with it and are the client's. */
export type ProxyRead =
  | { readonly is: 'header'; readonly header: ProxyHeader; readonly rest: Buffer }
  /** No valid header: `why` for the log. */
  | { readonly is: 'failed'; readonly why: string; readonly rest: Buffer }
  /** The peer went before a header was there. */
  | { readonly is: 'closed' }

const nothing = Buffer.alloc(0)

/**
 * Reads within one time limit for the whole header, however it is cut into packets. The stream is left paused, and
 * without the bytes in `rest`.
 */
export function readProxyHeader(input: Readable, timeoutMs: number): Promise<ProxyRead> {
  if (input.destroyed || input.readableEnded) return Promise.resolve({ is: 'closed' })
  return new Promise((resolve) => {
    const pieces: Buffer[] = []
    let size = 0
    let least = 1
    const timer = setTimeout(() => give(timedOut(Buffer.concat(pieces))), timeoutMs)
    const onData = (piece: Buffer): void => {
      pieces.push(piece)
      size += piece.length
      if (size < least) return
      const bytes = Buffer.concat(pieces)
      pieces.splice(0, pieces.length, bytes)
      const found = parseProxyHeader(bytes)
      if (found.is === 'more') least = found.least
      else give(outcome(found, bytes))
    }
    const onGone = (): void => give({ is: 'closed' })
    const give = (result: ProxyRead): void => {
      clearTimeout(timer)
      input.pause()
      input.off('data', onData)
      input.off('end', onGone)
      input.off('close', onGone)
      input.off('error', onGone)
      resolve(result)
    }
    input.on('data', onData)
    input.on('end', onGone)
    input.on('close', onGone)
    input.on('error', onGone)
    input.resume()
  })
}

type Settled = Exclude<ReturnType<typeof parseProxyHeader>, { is: 'more' }>

function outcome(found: Settled, bytes: Buffer): ProxyRead {
  switch (found.is) {
    case 'header':
      return { is: 'header', header: found.header, rest: bytes.subarray(found.length) }
    case 'invalid':
      return { is: 'failed', why: found.why, rest: bytes.subarray(found.length) }
    case 'foreign':
      return { is: 'failed', why: 'no PROXY header', rest: bytes }
  }
}

function timedOut(bytes: Buffer): ProxyRead {
  // Half a header is no command either.
  return { is: 'failed', why: bytes.length === 0 ? 'timed out' : 'timed out in the header', rest: nothing }
}
