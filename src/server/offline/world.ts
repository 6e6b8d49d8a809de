/**
 * What a session that is played offline may ask of the world: everything that is neither the configuration nor the
 * engine. `stated-world.ts` answers from a record, `recorded-world.ts` asks the real one and writes down what it said.
 */
import { textOf, type ByteString } from '../../base/text.ts'
import type { Doors } from '../../language/expand/doors/doors.ts'
import type { Callout } from '../../flow/callout-types.ts'
import type { Accounts, Files, LookupRequest, Ports } from '../../ports.ts'

export interface World {
  readonly dns: Ports['dns']
  readonly hostAddresses: Ports['hostAddresses']
  readonly lookUpHostName: Ports['lookUpHostName']
  /** Databases; lookups in files read the world's files. */
  readonly lookup: Ports['lookup']
  readonly accounts: Accounts
  readonly files: Files
  readonly runCommand: Doors['runCommand']
  readonly askSocket: Doors['askSocket']
  readonly askPam: Doors['askPam']
  readonly callout: Callout
  readonly hostname: string
  readonly interfaces: readonly string[]
  now(): number
  random(limit: number): number
}

/** Lookup types whose answers come from files, DNS, users or the program itself: the engine itself looks there. */
export const fileLookups: ReadonlySet<string> = new Set([
  'cdb',
  'dnsdb',
  'dsearch',
  'iplsearch',
  'json',
  'lsearch',
  'nwildlsearch',
  'passwd',
  'psl',
  'regdom',
  'spf',
  'testdb',
  'wildlsearch',
])

/** The line of `commands` that stands for a question to PAM; it prints `yes`, `no` or what is wrong. */
export function pamLine(user: ByteString): ByteString {
  return `pam ${user}`
}

/** The question of a lookup as test files write it. */
export function lookupQuestion({ key, file, parameters = [] }: LookupRequest): ByteString {
  const values = parameters.length === 0 ? '' : ` [${parameters.map(textOf).join(', ')}]`
  return `${textOf(key)}${file === undefined ? '' : ` in ${textOf(file)}`}${values}`
}
