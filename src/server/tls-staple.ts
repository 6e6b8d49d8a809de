/**
 * Which certificate a client will be shown, and the proof that goes with it. Source: Exim manual, main option
 * `tls_ocsp_file`; requirements O1 to O5.
 */
import type { SecureContext } from 'node:tls'
import type { Context } from '../ports.ts'
import type { ClientHello } from '../wire/tls/client-hello.ts'
import { type StapleFile, stapleFiles } from '../wire/tls/ocsp/staple-file.ts'
import type { TlsRoom } from './tls-room.ts'
import type { ReadyContext } from './tls-service.ts'
import { stapleItems } from './tls-options.ts'

/** A look at a proof takes some milliseconds; nobody waits longer than this for one. */
const longestMs = 2000

export interface ChosenStaple {
  readonly proof: Buffer
  /** Shows the very certificate that the proof is about. */
  readonly context: SecureContext
}

export async function chooseStaple(
  room: TlsRoom,
  context: Context,
  made: ReadyContext,
  hello: ClientHello,
): Promise<ChosenStaple | undefined> {
  const shown = shownCertificate(made, hello)
  if (shown === undefined) return undefined
  const file = (await proofFiles(room, context, made))[shown.index]
  const own = made.own[shown.index]
  if (file === undefined || own === undefined) return undefined
  const proof = await atMost(room.staples.proof(file, own.leaf, own.issuer), longestMs)
  if (proof === undefined) return undefined
  if (!shown.alone) return { proof, context: made.context }
  // Of several certificates only this one, so that the proof is not for another.
  const { certificates, keys } = made.settings
  const single = room.contexts.get({
    ...made.settings,
    certificates: certificates.slice(shown.index, shown.index + 1),
    keys: keys.slice(shown.index, shown.index + 1),
  })
  return single.is === 'ready' ? { proof, context: single.context } : undefined
}

/** The file of each certificate's proof; with `tls_ocsp_fetch` certificates become known to the keeper here. */
export async function proofFiles(
  room: TlsRoom,
  context: Context,
  made: ReadyContext,
): Promise<readonly (StapleFile | undefined)[]> {
  const { tls_ocsp_file, tls_ocsp_fetch } = context.settings
  const keeper = tls_ocsp_fetch ? room.keeper : undefined
  if (tls_ocsp_file === undefined && keeper === undefined) return []
  const items = await stapleItems(made.expandedIn)
  if ('problem' in items) {
    context.ports.log.panic(undefined, items.problem)
    return []
  }
  const files = stapleFiles(items)
  if (keeper === undefined) return files
  return made.own.map((own, i) => {
    const file = files[i]
    // Proofs are fetched as DER.
    if (file?.format === 'PEM') return file
    const path = keeper.know(own.leaf, own.issuer, file?.path)
    return path === undefined ? undefined : { path, format: 'DER', ours: true }
  })
}

/** Codes of RFC 8446 section 4.2.3 and RFC 8422 for signatures with ECDSA. */
const ecdsaSignatures = [0x0403, 0x0503, 0x0603]

/**
 * OpenSSL chooses among several certificates only after it has asked for the proof, so the choice is made here: the
 * first of the list whose signatures the client knows. With TLS 1.2 ciphers of the configuration could rule that one
 * out; then nothing is stapled.
 */
function shownCertificate(
  { own, settings }: ReadyContext,
  hello: ClientHello,
): { readonly index: number; readonly alone: boolean } | undefined {
  if (own.length === 1) return { index: 0, alone: false }
  const index = own.findIndex(({ keyType }) => keyType !== 'other' && knows(hello, keyType))
  if (index < 0 || (!hello.knowsTls13 && settings.ciphers !== '')) return undefined
  return { index, alone: true }
}

function knows(hello: ClientHello, keyType: 'rsa' | 'ecdsa'): boolean {
  if (keyType === 'rsa') return true
  if (!ecdsaSignatures.some((code) => hello.signatures.has(code))) return false
  return hello.knowsTls13 || ecdsaCiphers.some((code) => hello.ciphers.has(code))
}

/** ECDHE_ECDSA with AES-GCM or ChaCha20: RFC 5289, RFC 7905. */
const ecdsaCiphers = [0xc02b, 0xc02c, 0xcca9]

async function atMost<T>(work: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms)
  })
  const result = await Promise.race([work, limit])
  clearTimeout(timer)
  return result
}
