/**
 * `tls_require_ciphers`: OpenSSL's syntax; the common priority strings of GnuTLS, which configurations written for
 * Debian's Exim hold, are translated.
 */
import type { SecureVersion } from 'node:tls'

export type CipherSetting =
  | {
      /** OpenSSL's list; empty: its default. */
      readonly ciphers: string
      readonly minVersion: SecureVersion | undefined
      readonly maxVersion: SecureVersion | undefined
    }
  | { readonly problem: string }

const gnutlsWords = /^(NONE|NORMAL|PERFORMANCE|LEGACY|PFS|SECURE\d+|SUITEB\d+|SYSTEM)(:|$)/

const levels: Readonly<Record<string, string>> = {
  NORMAL: 'DEFAULT',
  PERFORMANCE: 'DEFAULT',
  LEGACY: 'DEFAULT',
  SYSTEM: 'DEFAULT',
  PFS: 'DEFAULT:!kRSA',
  SECURE128: 'HIGH:!aNULL',
  SECURE192: 'HIGH:!aNULL:!AES128',
  SECURE256: 'HIGH:!aNULL:!AES128',
}

const versions = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const

/** Reads the setting; a GnuTLS string that cannot be translated is told with what to write. */
export function readCipherSetting(text: string): CipherSetting {
  const setting = text.trim()
  if (!gnutlsWords.test(setting)) return { ciphers: setting, minVersion: undefined, maxVersion: undefined }
  const [level = '', ...words] = setting.split(':')
  let ciphers = levels[level]
  if (ciphers === undefined) return unknown(setting, level)
  const on = new Set<string>(versions)
  for (const word of words) {
    const version = /^([-+!])VERS-(TLS-ALL|TLS(1\.[0-3])|SSL3\.0|ALL)$/.exec(word)
    if (version !== null) {
      const name = version[3] === undefined ? undefined : `TLSv${version[3].replace('1.0', '1')}`
      for (const each of name === undefined ? (version[2] === 'SSL3.0' ? [] : versions) : [name]) {
        if (version[1] === '+') on.add(each)
        else on.delete(each)
      }
    } else if (word.startsWith('%') || word === '') continue
    else if (/^[-!](3DES-CBC|ARCFOUR-128|RSA|DHE-RSA|MD5|SHA1)$/.test(word))
      ciphers += exclusions[word.slice(1)] ?? ''
    else return unknown(setting, word)
  }
  const allowed = versions.filter((each) => on.has(each))
  const [first, last] = [allowed[0], allowed.at(-1)]
  if (first === undefined) return { problem: `"${setting}" leaves no TLS version` }
  return {
    ciphers,
    minVersion: first === 'TLSv1' || first === 'TLSv1.1' ? undefined : first,
    maxVersion: last === 'TLSv1.3' ? undefined : last,
  }
}

const exclusions: Readonly<Record<string, string>> = {
  '3DES-CBC': ':!3DES',
  'ARCFOUR-128': ':!RC4',
  RSA: ':!kRSA',
  'DHE-RSA': ':!DHE',
  MD5: ':!MD5',
  SHA1: ':!SHA1',
}

function unknown(setting: string, word: string): CipherSetting {
  return {
    problem: `"${setting}" is a GnuTLS priority string, and "${word}" in it has no translation; write OpenSSL's form, such as "HIGH:!aNULL:!MD5"`,
  }
}
