/**
 * The word before a lookup: `partial2(.)-lsearch*@,ret=full`.
 * Sources: Exim manual, "Lookup modification", "Partial matching in single-key lookups", "Lookup types".
 */
import type { ByteString } from '../../base/text.ts'
import { packageRow } from './packages.ts'

export interface LookupType {
  readonly name: string
  readonly style: 'single' | 'query'
  readonly partial: { readonly least: number; readonly affix: ByteString } | undefined
  readonly star: '*' | '*@' | undefined
  /** What follows the comma: `ret=full`. */
  readonly options: ByteString
  /** False: the name is known, but such lookups do not work in this version. */
  readonly works: boolean
}

interface KnownType {
  readonly style: 'single' | 'query'
  readonly works?: boolean
  /** What to say of a type that does not work. */
  readonly help?: string | undefined
}

const packages = new Map<string, ReturnType<typeof packageRow>>()

/** Packages are looked for when somebody asks. */
function withPackage(name: string): KnownType {
  const asked = (): ReturnType<typeof packageRow> => {
    const known = packages.get(name) ?? packageRow(name)
    packages.set(name, known)
    return known
  }
  return {
    style: 'query',
    get works() {
      return asked().works
    },
    get help() {
      return asked().help
    },
  }
}

/** Every type name of Exim; those without `works` are refused with their help. */
export const lookupTypes: Readonly<Record<string, KnownType>> = {
  cdb: { style: 'single', works: true },
  dbm: { style: 'single', works: true },
  dbmjz: { style: 'single', works: true },
  dbmnz: { style: 'single', works: true },
  dnsdb: { style: 'query', works: true },
  dsearch: { style: 'single', works: true },
  iplsearch: { style: 'single', works: true },
  json: { style: 'single', works: true },
  ldap: withPackage('ldapts'),
  ldapauth: { style: 'query', help: 'it is a condition: ${if ldapauth{...}}' },
  ldapdn: withPackage('ldapts'),
  ldapm: withPackage('ldapts'),
  lmdb: { style: 'single', works: true },
  lsearch: { style: 'single', works: true },
  mysql: withPackage('mysql2'),
  nis: { style: 'single', help: 'NIS is not supported' },
  nis0: { style: 'single', help: 'NIS is not supported' },
  nisplus: { style: 'query', help: 'NIS+ is not supported' },
  nmh: { style: 'single', help: 'it is not supported' },
  nwildlsearch: { style: 'single', works: true },
  oracle: { style: 'query', help: 'Oracle is not supported; use pgsql or mysql' },
  passwd: { style: 'query', works: true },
  pgsql: withPackage('pg'),
  psl: { style: 'single', works: true },
  readsock: { style: 'query', works: true },
  redis: withPackage('ioredis'),
  regdom: { style: 'single', works: true },
  spf: { style: 'single', works: true },
  sqlite: withPackage('node-sqlite3-wasm'),
  testdb: { style: 'query', works: true },
  whoson: { style: 'query', help: 'it is not supported' },
  wildlsearch: { style: 'single', works: true },
}

/** Reads a type word; an error is Exim's sentence. */
export function parseLookupType(
  text: ByteString,
): LookupType | { readonly error: string; readonly help?: string } {
  let rest = text
  let partial: LookupType['partial']
  const match = /^partial(\d*)(?:\(([^)]*)\)-?|-)/.exec(rest)
  if (match !== null) {
    const digits = match[1] ?? ''
    // Without parentheses the affix is `*.`, and the hyphen belongs to the prefix.
    const affix = match[2]
    partial = { least: digits === '' ? 2 : Number(digits), affix: affix ?? '*.' }
    rest = rest.slice(match[0].length)
  } else if (rest.startsWith('partial')) return { error: `format error in lookup type "${text}"` }
  const comma = rest.indexOf(',')
  const options = comma < 0 ? '' : rest.slice(comma + 1)
  if (comma >= 0) rest = rest.slice(0, comma)
  const star = rest.endsWith('*@') ? '*@' : rest.endsWith('*') ? '*' : undefined
  const name = star === undefined ? rest : rest.slice(0, -star.length)
  const known = Object.hasOwn(lookupTypes, name) ? lookupTypes[name] : undefined
  if (known === undefined) return { error: `unknown lookup type "${name}"` }
  if (known.style === 'query' && (partial !== undefined || star !== undefined)) {
    const what = partial !== undefined ? '"partial"' : `"${star ?? ''}"`
    return { error: `${what} is not permitted for lookup type "${name}"` }
  }
  return { name, style: known.style, partial, star, options, works: known.works === true }
}

/** Why a known type does not work, and what to do. */
export function lookupTypeHelp(name: string): string | undefined {
  return Object.hasOwn(lookupTypes, name) ? lookupTypes[name]?.help : undefined
}
