/** TLS towards LDAP servers, from the main options `ldap_...`. */
import type { Context } from '../../ports.ts'

export interface LdapTls {
  /** Connections with other settings are other connections. */
  readonly key: string
  /** `ldap_start_tls`. */
  readonly start: boolean
  readonly options: {
    readonly rejectUnauthorized: boolean
    readonly ca?: string[]
    readonly cert?: string
    readonly key?: string
    readonly ciphers?: string
  }
}

const largestFile = 1024 * 1024
const mostFiles = 1000

/** OpenLDAP's words; `hard` is its default. */
const checks: Readonly<Record<string, boolean>> = {
  never: false,
  allow: false,
  try: true,
  demand: true,
  hard: true,
}

export function ldapTls(context: Context): LdapTls | { readonly problem: string } {
  const { settings } = context
  const check = settings.ldap_require_cert?.toLowerCase() ?? 'hard'
  const rejectUnauthorized = Object.hasOwn(checks, check) ? checks[check] : undefined
  if (rejectUnauthorized === undefined)
    return { problem: `ldap_require_cert: "${check}" is none of never, allow, try, demand, hard` }
  const key = JSON.stringify([
    check,
    settings.ldap_ca_cert_dir,
    settings.ldap_ca_cert_file,
    settings.ldap_cert_file,
    settings.ldap_cert_key,
    settings.ldap_cipher_suite,
    settings.ldap_start_tls,
  ])
  try {
    const file = (path: string | undefined): string | undefined =>
      path === undefined ? undefined : read(path, context)
    const ca = [
      ...(settings.ldap_ca_cert_file === undefined ? [] : [read(settings.ldap_ca_cert_file, context)]),
      ...(settings.ldap_ca_cert_dir === undefined ? [] : readAll(settings.ldap_ca_cert_dir, context)),
    ]
    const cert = file(settings.ldap_cert_file)
    const ownKey = file(settings.ldap_cert_key)
    return {
      key,
      start: settings.ldap_start_tls,
      options: {
        rejectUnauthorized,
        ...(ca.length === 0 ? {} : { ca }),
        ...(cert === undefined ? {} : { cert }),
        ...(ownKey === undefined ? {} : { key: ownKey }),
        ...(settings.ldap_cipher_suite === undefined ? {} : { ciphers: settings.ldap_cipher_suite }),
      },
    }
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) }
  }
}

function read(path: string, context: Context): string {
  const result = context.ports.files.read(path, largestFile)
  if ('error' in result) throw new Error(`LDAP: cannot read ${path}: ${result.error}`)
  return result.bytes
}

function readAll(folder: string, context: Context): string[] {
  const names = context.ports.files.list(folder)
  if (!Array.isArray(names)) throw new Error(`LDAP: cannot read ${folder}`)
  const certificates: string[] = []
  for (const name of names.slice(0, mostFiles) as string[]) {
    const result = context.ports.files.read(`${folder}/${name}`, largestFile)
    if (!('error' in result) && result.bytes.includes('BEGIN CERTIFICATE')) certificates.push(result.bytes)
  }
  return certificates
}
