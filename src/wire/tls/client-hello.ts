/**
 * Looks at a client's first TLS message before TLS begins: which name it wants, whether it asks for a proof of the
 * certificate, which protocols and signatures it knows. So one place decides with what to answer, for STARTTLS and
 * TLS-on-connect alike. Source: RFC 8446 section 4.1.2; RFC 5246 section 7.4.1.2; RFC 6066 sections 3 and 8; RFC 7301.
 */
import type { Readable } from 'node:stream'

export interface ClientHello {
  /** Empty: none. */
  readonly serverName: string
  /** Application protocols (ALPN); undefined: the client names none. */
  readonly protocols: readonly string[] | undefined
  readonly asksForOcsp: boolean
  readonly knowsTls13: boolean
  readonly ciphers: ReadonlySet<number>
  readonly signatures: ReadonlySet<number>
  /** It can keep tickets, and it brings a session to go on with. */
  readonly takesTickets: boolean
  readonly bringsSession: boolean
}

export type HelloParse =
  | { readonly is: 'hello'; readonly hello: ClientHello }
  | { readonly is: 'more' }
  /** No ClientHello: OpenSSL will say what is wrong with it. */
  | { readonly is: 'other' }

/** OpenSSL takes a ClientHello of 128 KB; a real one has at most a few. */
const mostBytes = 65_536

/**
 * Waits for the ClientHello and puts all bytes back, so that TLS reads them. The stream is left paused. Undefined:
 * there is none, or the peer went; the handshake then fails by itself.
 */
export function peekClientHello(input: Readable, timeoutMs: number): Promise<ClientHello | undefined> {
  if (input.destroyed || input.readableEnded) return Promise.resolve(undefined)
  return new Promise((resolve) => {
    const pieces: Buffer[] = []
    let size = 0
    const timer = setTimeout(() => give(undefined), Math.min(timeoutMs, 2 ** 31 - 1))
    const onData = (piece: Buffer): void => {
      pieces.push(piece)
      size += piece.length
      const bytes = Buffer.concat(pieces)
      pieces.splice(0, pieces.length, bytes)
      const found = parseClientHello(bytes)
      if (found.is === 'more' && size < mostBytes) return
      give(found.is === 'hello' ? found.hello : undefined)
    }
    const onGone = (): void => give(undefined)
    const give = (hello: ClientHello | undefined): void => {
      clearTimeout(timer)
      input.pause()
      input.off('data', onData)
      input.off('end', onGone)
      input.off('close', onGone)
      input.off('error', onGone)
      // Errors between here and the handshake are told by the handshake.
      input.on('error', () => {})
      if (size > 0 && !input.readableEnded && !input.destroyed) input.unshift(Buffer.concat(pieces))
      resolve(hello)
    }
    input.on('data', onData)
    input.on('end', onGone)
    input.on('close', onGone)
    input.on('error', onGone)
    input.resume()
  })
}

/** Reads the handshake message out of its records. */
export function parseClientHello(bytes: Buffer): HelloParse {
  const pieces: Buffer[] = []
  let size = 0
  for (let at = 0; ; ) {
    // Record: type 22 (handshake), version 3.x, length.
    if (at < bytes.length && bytes[at] !== 22) return { is: 'other' }
    if (at + 1 < bytes.length && bytes[at + 1] !== 3) return { is: 'other' }
    if (bytes.length < at + 5) return { is: 'more' }
    const length = bytes.readUInt16BE(at + 3)
    if (length === 0 || length > 16_640) return { is: 'other' }
    const piece = bytes.subarray(at + 5, at + 5 + length)
    pieces.push(piece)
    size += piece.length
    const message = pieces.length === 1 ? piece : Buffer.concat(pieces, size)
    if (message.length > 0 && message[0] !== 1) return { is: 'other' }
    if (message.length >= 4) {
      const whole = 4 + message.readUIntBE(1, 3)
      if (whole > mostBytes) return { is: 'other' }
      if (message.length >= whole) return readHello(message.subarray(4, whole))
    }
    if (piece.length < length) return { is: 'more' }
    at += 5 + length
  }
}

const extension = {
  serverName: 0,
  statusRequest: 5,
  signatureAlgorithms: 13,
  alpn: 16,
  sessionTicket: 35,
  preSharedKey: 41,
  supportedVersions: 43,
  pskKeyExchangeModes: 45,
} as const

function readHello(body: Buffer): HelloParse {
  try {
    const reader = new Reader(body)
    reader.skip(2 + 32)
    const session = reader.block(1)
    const ciphers = reader.block(2)
    reader.block(1)
    const extensions = new Map<number, Buffer>()
    if (!reader.done) {
      const list = new Reader(reader.block(2))
      while (!list.done) extensions.set(list.number(2), list.block(2))
    }
    return { is: 'hello', hello: hello(session, ciphers, extensions) }
  } catch (error) {
    if (error instanceof RangeError) return { is: 'other' }
    throw error
  }
}

function hello(session: Buffer, ciphers: Buffer, extensions: ReadonlyMap<number, Buffer>): ClientHello {
  const versions = extensions.get(extension.supportedVersions)
  const ticket = extensions.get(extension.sessionTicket)
  return {
    serverName: serverName(extensions.get(extension.serverName)),
    protocols: protocols(extensions.get(extension.alpn)),
    // status_type 1 is OCSP.
    asksForOcsp: extensions.get(extension.statusRequest)?.[0] === 1,
    knowsTls13: versions !== undefined && numbers(new Reader(versions).block(1)).has(0x0304),
    ciphers: numbers(ciphers),
    signatures: numbers(inner(extensions.get(extension.signatureAlgorithms))),
    takesTickets: ticket !== undefined || extensions.has(extension.pskKeyExchangeModes),
    bringsSession:
      extensions.has(extension.preSharedKey) ||
      (ticket !== undefined && ticket.length > 0) ||
      (versions === undefined && session.length > 0),
  }
}

function inner(list: Buffer | undefined): Buffer {
  return list === undefined ? Buffer.alloc(0) : new Reader(list).block(2)
}

function serverName(data: Buffer | undefined): string {
  if (data === undefined || data.length === 0) return ''
  const list = new Reader(inner(data))
  while (!list.done) {
    const type = list.number(1)
    const name = list.block(2)
    if (type === 0) return name.toString('latin1')
  }
  return ''
}

function protocols(data: Buffer | undefined): string[] | undefined {
  if (data === undefined) return undefined
  const list = new Reader(inner(data))
  const names: string[] = []
  while (!list.done) names.push(list.block(1).toString('latin1'))
  return names
}

function numbers(list: Buffer): Set<number> {
  const found = new Set<number>()
  for (let at = 0; at + 1 < list.length; at += 2) found.add(list.readUInt16BE(at))
  return found
}

/** Reads blocks with a length before them; a RangeError when they do not fit. */
class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length
  }

  skip(count: number): void {
    this.#at += count
    if (this.#at > this.#bytes.length) throw new RangeError('too short')
  }

  number(digits: number): number {
    const at = this.#at
    this.skip(digits)
    return this.#bytes.readUIntBE(at, digits)
  }

  block(digits: number): Buffer {
    const length = this.number(digits)
    const at = this.#at
    this.skip(length)
    return this.#bytes.subarray(at, at + length)
  }
}
