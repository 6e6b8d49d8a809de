/** The arithmetic and the messages of SCRAM, without dialogue. Source: RFC 5802, RFC 7677. */
import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto'
import { type ByteString, fromBytes, toBytes } from '../../base/text.ts'
import { saslprep } from './saslprep.ts'

export type ScramHash = 'sha1' | 'sha256'

/** Mechanisms without channel binding. */
export const scramHashes: Readonly<Record<string, ScramHash>> = {
  'SCRAM-SHA-1': 'sha1',
  'SCRAM-SHA-256': 'sha256',
}

export const digestBytes: Readonly<Record<ScramHash, number>> = { sha1: 20, sha256: 32 }

/** RFC 5802 section 5.1 asks for at least 4096; more than this costs too much time. */
export const leastIterations = 4096
export const mostIterations = 2_000_000

/** What a server keeps of a password. */
export interface ScramKeys {
  readonly storedKey: Buffer
  readonly serverKey: Buffer
}

function mac(hash: ScramHash, key: Uint8Array, text: string | Uint8Array): Buffer {
  const bytes = typeof text === 'string' ? toBytes(text) : text
  return createHmac(hash, key).update(bytes).digest()
}

/** `Hi()`; computed outside the event loop. Undefined: SASLprep forbids the password. */
export function saltPassword(
  hash: ScramHash,
  password: ByteString,
  salt: Uint8Array,
  iterations: number,
): Promise<Buffer | undefined> {
  const prepared = saslprep(password)
  if (prepared === undefined) return Promise.resolve(undefined)
  return new Promise((resolve, reject) => {
    pbkdf2(toBytes(prepared), salt, iterations, digestBytes[hash], hash, (error, key) =>
      error === null ? resolve(key) : reject(error),
    )
  })
}

export function keysOf(hash: ScramHash, salted: Uint8Array): ScramKeys {
  const clientKey = mac(hash, salted, 'Client Key')
  return {
    storedKey: createHash(hash).update(clientKey).digest(),
    serverKey: mac(hash, salted, 'Server Key'),
  }
}

/** Does the proof show that the client knows the password? */
export function proofHolds(
  hash: ScramHash,
  keys: ScramKeys,
  authMessage: ByteString,
  proof: Uint8Array,
): boolean {
  if (proof.length !== digestBytes[hash]) return false
  const signature = mac(hash, keys.storedKey, authMessage)
  const stored = createHash(hash).update(exclusiveOr(proof, signature)).digest()
  return stored.length === keys.storedKey.length && timingSafeEqual(stored, keys.storedKey)
}

export function clientProof(hash: ScramHash, salted: Uint8Array, authMessage: ByteString): Buffer {
  const clientKey = mac(hash, salted, 'Client Key')
  const { storedKey } = keysOf(hash, salted)
  return exclusiveOr(clientKey, mac(hash, storedKey, authMessage))
}

export function serverSignature(hash: ScramHash, serverKey: Uint8Array, authMessage: ByteString): Buffer {
  return mac(hash, serverKey, authMessage)
}

function exclusiveOr(a: Uint8Array, b: Uint8Array): Buffer {
  return Buffer.from(a.map((byte, i) => byte ^ (b[i] ?? 0)))
}

/** The client's first message. */
export interface ClientFirst {
  /** `n,,` and its kin, as they stand. */
  readonly header: ByteString
  readonly authorization: ByteString
  readonly user: ByteString
  readonly nonce: ByteString
  readonly bare: ByteString
}

/** Undefined: malformed, or bound to a TLS channel, which is not offered. */
export function readClientFirst(text: ByteString): ClientFirst | undefined {
  const match = /^([ny],(?:a=([^,]*))?,)(n=([^,]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?)$/s.exec(text)
  const [, header, authorization = '', bare, user, nonce] = match ?? []
  if (header === undefined || bare === undefined || user === undefined || nonce === undefined)
    return undefined
  const names = [decodeName(user), decodeName(authorization)]
  const [decodedUser, decodedAuthorization] = names
  if (decodedUser === undefined || decodedAuthorization === undefined) return undefined
  return { header, authorization: decodedAuthorization, user: decodedUser, nonce, bare }
}

/** The client's last message. */
export interface ClientFinal {
  readonly binding: string
  readonly nonce: ByteString
  readonly withoutProof: ByteString
  readonly proof: Buffer
}

export function readClientFinal(text: ByteString): ClientFinal | undefined {
  const match = /^(c=([^,]*),r=([^,]+)(?:,.*)?),p=([A-Za-z0-9+/]+={0,2})$/s.exec(text)
  const [, withoutProof, binding, nonce, proof] = match ?? []
  if (withoutProof === undefined || binding === undefined || nonce === undefined || proof === undefined) {
    return undefined
  }
  return { binding, nonce, withoutProof, proof: Buffer.from(proof, 'base64') }
}

/** The server's first message. */
export interface ServerFirst {
  readonly nonce: ByteString
  readonly salt: Buffer
  readonly iterations: number
}

export function readServerFirst(text: ByteString): ServerFirst | undefined {
  const match = /^r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/]+={0,2}),i=(\d{1,8})(?:,.*)?$/s.exec(text)
  const [, nonce, salt, iterations] = match ?? []
  if (nonce === undefined || salt === undefined || iterations === undefined) return undefined
  return { nonce, salt: Buffer.from(salt, 'base64'), iterations: Number(iterations) }
}

/** `=2C` and `=3D` stand for comma and equals sign; any other equals sign is wrong, and so is what SASLprep forbids. */
function decodeName(text: ByteString): ByteString | undefined {
  if (/=(?!2C|3D)/.test(text)) return undefined
  return saslprep(text.replaceAll('=2C', ',').replaceAll('=3D', '='))
}

/** Undefined: SASLprep forbids the name. */
export function encodeName(text: ByteString): ByteString | undefined {
  return saslprep(text)?.replaceAll('=', '=3D').replaceAll(',', '=2C')
}

export function base64(bytes: Uint8Array | ByteString): string {
  return (typeof bytes === 'string' ? toBytes(bytes) : Buffer.from(fromBytes(bytes), 'latin1')).toString(
    'base64',
  )
}
