/**
 * TLS contexts from files, made once and kept: making one costs 2 to 15 ms. A context is made anew when a file it
 * came from has changed, so a renewed certificate is used from the next connection on.
 * A door: it reads key and certificate files.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import {
  createSecureContext,
  rootCertificates,
  type SecureContext,
  type SecureContextOptions,
} from 'node:tls'
import { readCipherSetting } from './cipher-setting.ts'

/** What a context is made of; paths and texts as the options have them after expansion. */
export interface ContextSettings {
  /** Certificate files, each with its chain; the key of each stands at the same place in `keys`, or in the file itself. */
  readonly certificates: readonly string[]
  readonly keys: readonly string[]
  /** `tls_require_ciphers`; empty: OpenSSL's default. */
  readonly ciphers: string
  /** `tls_verify_certificates`: `system`, a file, a folder; empty: none. */
  readonly verify: string
  /** `tls_crl`. */
  readonly crl: string
  /** `tls_dhparam`: a file; empty or a name of a standard group: chosen by OpenSSL. */
  readonly dhparam: string
  /** `tls_eccurve`. */
  readonly curves: string
  /** `openssl_options`. */
  readonly options: string
}

export type ContextResult =
  | { readonly is: 'ready'; readonly context: SecureContext; readonly certificate: Buffer | undefined }
  | { readonly is: 'failed'; readonly why: string }

export interface TlsContexts {
  get(settings: ContextSettings): ContextResult
}

interface Kept {
  readonly result: ContextResult
  readonly stamps: readonly string[]
  checkedAt: number
}

const mostContexts = 200
/** Files are looked at again after this time. */
const checkMs = 1000
const largestFileBytes = 4 << 20

export function createTlsContexts(now: () => number): TlsContexts {
  const kept = new Map<string, Kept>()
  return {
    get(settings) {
      const key = JSON.stringify(settings)
      const found = kept.get(key)
      if (found !== undefined) {
        if (Math.abs(now() - found.checkedAt) < checkMs) return found.result
        const stamps = stampsOf(settings)
        if (stamps.every((stamp, i) => stamp === found.stamps[i])) {
          found.checkedAt = now()
          return found.result
        }
      }
      const stamps = stampsOf(settings)
      const result = make(settings)
      kept.delete(key)
      kept.set(key, { result, stamps, checkedAt: now() })
      for (const oldest of kept.keys()) {
        if (kept.size <= mostContexts) break
        kept.delete(oldest)
      }
      return result
    },
  }
}

/** One stamp a file: changed when it was replaced or written to. */
function stampsOf(settings: ContextSettings): string[] {
  const files = [...settings.certificates, ...settings.keys, settings.verify, settings.crl, settings.dhparam]
  return files.map((file) => {
    const stat = file.startsWith('/') ? statSync(file, { throwIfNoEntry: false }) : undefined
    return stat === undefined ? '' : `${stat.ino} ${stat.mtimeMs} ${stat.size}`
  })
}

function make(settings: ContextSettings): ContextResult {
  const ciphers = readCipherSetting(settings.ciphers)
  if ('problem' in ciphers) return { is: 'failed', why: ciphers.problem }
  try {
    const certificates = settings.certificates.map(read)
    // A file without a key of its own in `tls_privatekey` holds certificate and key.
    const keys = settings.certificates.map((file, i) => read(settings.keys[i] ?? file))
    const options: SecureContextOptions = {
      ...(certificates.length === 0 ? {} : { cert: certificates, key: keys }),
      ...(ciphers.ciphers === '' ? {} : { ciphers: ciphers.ciphers }),
      minVersion: oldest(settings.options, ciphers.minVersion),
      ...(ciphers.maxVersion === undefined ? {} : { maxVersion: ciphers.maxVersion }),
      ...(settings.verify === '' ? {} : { ca: authorities(settings.verify) }),
      ...(settings.crl === '' ? {} : { crl: readAll(settings.crl) }),
      ...(settings.dhparam.startsWith('/')
        ? { dhparam: read(settings.dhparam) }
        : { dhparam: 'auto' as const }),
      ...(settings.curves === '' ? {} : { ecdhCurve: settings.curves }),
      honorCipherOrder: /\+cipher_server_preference/.test(settings.options),
    }
    return { is: 'ready', context: createSecureContext(options), certificate: certificates[0] }
  } catch (error) {
    return { is: 'failed', why: error instanceof Error ? error.message : String(error) }
  }
}

/** `openssl_options` switches versions off; without it TLS 1.2 is the oldest, as OpenSSL 3 has it. */
function oldest(
  options: string,
  fromCiphers: SecureContextOptions['minVersion'],
): NonNullable<SecureContextOptions['minVersion']> {
  if (fromCiphers !== undefined) return fromCiphers
  return /\+no_tlsv1_2\b/i.test(options) ? 'TLSv1.3' : 'TLSv1.2'
}

function authorities(verify: string): string[] {
  return verify === 'system' ? [...rootCertificates, ...systemAuthorities()] : readAll(verify)
}

/** The host's own bundle beside the list that Node brings along. */
function systemAuthorities(): string[] {
  const bundle = '/etc/ssl/certs/ca-certificates.crt'
  return statSync(bundle, { throwIfNoEntry: false }) === undefined ? [] : [read(bundle).toString('latin1')]
}

/** A file, or all files of a folder. */
function readAll(path: string): string[] {
  if (!statSync(path).isDirectory()) return [read(path).toString('latin1')]
  return readdirSync(path)
    .filter((name) => /\.(pem|crt|[0-9])$/.test(name))
    .slice(0, 1000)
    .map((name) => read(`${path}/${name}`).toString('latin1'))
}

function read(path: string): Buffer {
  const { size } = statSync(path)
  if (size > largestFileBytes) throw new Error(`${path} is larger than a certificate file can be`)
  return readFileSync(path)
}
