/**
 * TLS contexts from files, made once and kept: making one costs 2 to 15 ms. A context is made anew when a file it
 * came from has changed, so a renewed certificate is used from the next connection on.
 */
import { createHash, constants } from 'node:crypto'
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import {
  diffieHellmanBits,
  hostAuthorities,
  isSystem,
  type OwnCertificate,
  ownCertificate,
  readAll,
  readFile,
  revocationLists,
  stampOf,
} from './certificate-files.ts'
import { readCipherSetting } from './cipher-setting.ts'
import type { SelfMade } from './self-made.ts'
import { readOpensslOptions } from '../../base/openssl-options.ts'

/** What a context is made of; paths and texts as the options have them after expansion. */
export interface ContextSettings {
  /** Certificate files, each with its chain; the key of each stands at the same place in `keys`, or in the file itself. */
  readonly certificates: readonly string[]
  readonly keys: readonly string[]
  /** In place of files, where there are none. */
  readonly selfMade?: SelfMade | undefined
  /** `tls_require_ciphers`; empty: OpenSSL's default. */
  readonly ciphers: string
  /** `tls_verify_certificates`: `system`, a file, a folder; empty: none. */
  readonly verify: string
  /** `tls_crl`. */
  readonly crl: string
  /** `tls_dhparam`: a file; `none`; empty or a name of a standard group: chosen by OpenSSL. */
  readonly dhparam: string
  /** `tls_dh_max_bits`; 0: no limit. */
  readonly dhMaxBits: number
  /** `tls_eccurve`. */
  readonly curves: string
  /** `openssl_options`. */
  readonly options: string
  /** Key of session tickets, 48 bytes in base 64; empty: sessions are not resumed. */
  readonly ticketKey: string
  /** Of a client: a ticket is asked for. */
  readonly asksForTicket?: boolean
}

export type ContextResult =
  | {
      readonly is: 'ready'
      readonly context: SecureContext
      /** In the order of the files. */
      readonly own: readonly OwnCertificate[]
      /** The files have changed to something that cannot be used; this is what was there before. Told once. */
      readonly stale?: string
    }
  | { readonly is: 'failed'; readonly why: string }

export interface TlsContexts {
  get(settings: ContextSettings): ContextResult
}

interface Kept {
  result: ContextResult
  stamps: readonly string[]
}

const mostContexts = 200

export function createTlsContexts(): TlsContexts {
  const kept = new Map<string, Kept>()
  return {
    get(settings) {
      const key = JSON.stringify(settings)
      const found = kept.get(key)
      const stamps = stampsOf(settings)
      if (found !== undefined && stamps.every((stamp, i) => stamp === found.stamps[i])) return found.result
      const result = make(settings)
      // A renewal that is half done (the key not yet beside its certificate) does not end TLS.
      if (result.is === 'failed' && found?.result.is === 'ready') {
        found.stamps = stamps
        return { ...found.result, stale: result.why }
      }
      kept.delete(key)
      kept.set(key, { result, stamps })
      for (const oldest of kept.keys()) {
        if (kept.size <= mostContexts) break
        kept.delete(oldest)
      }
      return result
    },
  }
}

function stampsOf({ certificates, keys, verify, crl, dhparam }: ContextSettings): string[] {
  return [...certificates, ...keys, verify, crl, dhparam].map(stampOf)
}

/** What is wrong with a value of `tls_require_ciphers`, in words; undefined: nothing. */
export function cipherProblem(setting: string): string | undefined {
  const read = readCipherSetting(setting)
  if ('problem' in read) return read.problem
  try {
    createSecureContext(read.ciphers === '' ? {} : { ciphers: read.ciphers })
    return undefined
  } catch {
    return `OpenSSL knows no cipher of "${setting}"`
  }
}

function make(settings: ContextSettings): ContextResult {
  const ciphers = readCipherSetting(settings.ciphers)
  if ('problem' in ciphers) return { is: 'failed', why: ciphers.problem }
  const switches = readOpensslOptions(settings.options)
  if ('problem' in switches) return { is: 'failed', why: switches.problem }
  try {
    const { selfMade } = settings
    const certificates =
      selfMade === undefined ? settings.certificates.map(readFile) : [Buffer.from(selfMade.certificate)]
    // A file without a key of its own in `tls_privatekey` holds certificate and key.
    const keys =
      selfMade === undefined
        ? settings.certificates.map((file, i) => readFile(settings.keys[i] ?? file))
        : [Buffer.from(selfMade.key)]
    const options: SecureContextOptions = {
      ...(certificates.length === 0 ? {} : { cert: certificates, key: keys }),
      ...(ciphers.ciphers === '' ? {} : { ciphers: ciphers.ciphers }),
      minVersion: ciphers.minVersion ?? (switches.bits & constants.SSL_OP_NO_TLSv1_2 ? 'TLSv1.3' : 'TLSv1.2'),
      ...(ciphers.maxVersion === undefined
        ? switches.bits & constants.SSL_OP_NO_TLSv1_3
          ? { maxVersion: 'TLSv1.2' as const }
          : {}
        : { maxVersion: ciphers.maxVersion }),
      // Left out, Node takes its own list, which costs nothing: 140 certificates read anew would hold the event loop.
      // Who names an intermediate certificate trusts it, with or without what is above it.
      ...(settings.verify === '' || isSystem(settings.verify)
        ? {}
        : { ca: readAll(settings.verify), allowPartialTrustChain: true }),
      ...(settings.crl === '' ? {} : { crl: revocationLists(settings.crl) }),
      ...diffieHellman(settings),
      ...curves(settings.curves),
      ...tickets(settings, switches.bits),
    }
    const context = createSecureContext(options)
    if (isSystem(settings.verify)) trustAlso(context, hostAuthorities())
    return {
      is: 'ready',
      context,
      own: certificates.flatMap((pem) => ownCertificate(pem) ?? []),
    }
  } catch (error) {
    return { is: 'failed', why: error instanceof Error ? error.message : String(error) }
  }
}

/** Node adds to its own list only by this way, which `createSecureContext` itself goes for other authorities. */
function trustAlso({ context }: SecureContext, authorities: readonly string[]): void {
  // What Node calls the context's inner side; its type says nothing of it.
  const inner = context as { addCACert(pem: string): void }
  for (const pem of authorities) inner.addCACert(pem)
}

/** A context that trusts what `tls_verify_certificates` names, for requests over HTTPS. Throws as reading files does. */
export function trustingContext(verify: string): SecureContext {
  const made = make({ ...nothing, verify })
  if (made.is === 'failed') throw new Error(made.why)
  return made.context
}

const nothing: ContextSettings = {
  certificates: [],
  keys: [],
  ciphers: '',
  verify: '',
  crl: '',
  dhparam: '',
  dhMaxBits: 0,
  curves: '',
  options: '',
  ticketKey: '',
}

/** Source: Exim manual, main options `tls_dhparam`, `tls_dh_max_bits`. */
function diffieHellman({ dhparam, dhMaxBits }: ContextSettings): Pick<SecureContextOptions, 'dhparam'> {
  if (dhparam === 'none') return {}
  if (!dhparam.startsWith('/')) return { dhparam: 'auto' }
  const file = readFile(dhparam)
  const bits = diffieHellmanBits(file)
  if (bits === undefined) throw new Error(`${dhparam} holds no DH PARAMETERS`)
  // Larger than allowed: as though it were "none".
  return dhMaxBits > 0 && bits > dhMaxBits ? {} : { dhparam: file }
}

function curves(setting: string): Pick<SecureContextOptions, 'ecdhCurve'> {
  return setting === '' || setting === 'auto' ? {} : { ecdhCurve: setting.replace(/\bP-512\b/, 'P-521') }
}

/** Tickets only where `tls_resumption_hosts` asks for them. Sessions never go from one set of settings to another. */
function tickets(
  settings: ContextSettings,
  bits: number,
): Pick<SecureContextOptions, 'secureOptions' | 'ticketKeys' | 'sessionIdContext'> {
  const { ticketKey, asksForTicket, ...others } = settings
  const sessionIdContext = createHash('sha256').update(JSON.stringify(others)).digest('hex').slice(0, 32)
  const without = (bits | constants.SSL_OP_NO_TICKET) >>> 0
  const withTickets = (bits & ~constants.SSL_OP_NO_TICKET) >>> 0
  if (ticketKey === '')
    return { secureOptions: asksForTicket === true ? withTickets : without, sessionIdContext }
  return { secureOptions: withTickets, ticketKeys: Buffer.from(ticketKey, 'base64'), sessionIdContext }
}
