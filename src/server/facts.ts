/** Facts that do not change while a configuration is in force. */
import type { Configuration } from '../language/config/configuration.ts'
import type { ServerFacts } from '../ports.ts'
import { splitInterface } from './listen-addresses.ts'
import type { RunTimeUser } from './run-time-user.ts'
import { eximVersion, posternVersion } from './version.ts'

export interface KnownFacts {
  readonly configuration: Configuration
  readonly primaryHostname: string
  readonly user: RunTimeUser
  /** All addresses of the system. */
  readonly localInterfaces: () => readonly string[]
  /** Items of `local_interfaces`, expanded; undefined: not set, all addresses count. */
  readonly listensOn?: readonly string[] | undefined
  /** Path of the program, for `$exim_path`. */
  readonly programPath: string
  readonly spoolDirectory: string
  readonly queueSize: () => number | undefined
}

export function serverFacts(known: KnownFacts): ServerFacts {
  const { configuration, primaryHostname, user } = known
  const qualifyDomain = configuration.main.qualify_domain ?? primaryHostname
  return {
    configuration,
    primaryHostname,
    qualifyDomain,
    qualifyRecipient: configuration.main.qualify_recipient ?? qualifyDomain,
    spoolDirectory: known.spoolDirectory,
    localInterfaces: ownAddresses(
      known.localInterfaces,
      known.listensOn,
      configuration.main.extra_local_interfaces ?? [],
    ),
    eximUid: user.uid,
    eximLogin: user.name,
    eximGid: user.gid,
    eximPath: known.programPath,
    eximVersion: configuration.main.exim_version ?? eximVersion,
    posternVersion,
    pid: process.pid,
    initialCwd: currentFolder(),
    queueSize: known.queueSize,
  }
}

/** Empty when the folder has been removed meanwhile. */
function currentFolder(): string {
  try {
    return process.cwd()
  } catch {
    return ''
  }
}

/**
 * What counts as this host: the addresses of `local_interfaces`, whose ports do not matter, and of `extra_local_interfaces`; a wildcard
 * stands for all of the system's. Source: Exim manual, "Recognizing the local host".
 */
function ownAddresses(
  system: () => readonly string[],
  listensOn: readonly string[] | undefined,
  extra: readonly string[],
): () => readonly string[] {
  if (listensOn === undefined && extra.length === 0) return system
  const items = [...(listensOn ?? ['::', '0.0.0.0']), ...extra]
  const named = items.map((item) => splitInterface(item)?.address ?? '').filter((address) => address !== '')
  const fixed = named.filter((address) => address !== '::' && address !== '0.0.0.0')
  const every = {
    six: named.includes('::'),
    four: named.includes('0.0.0.0'),
  }
  if (!every.six && !every.four) return () => fixed
  return () => [...system().filter((one) => (one.includes(':') ? every.six : every.four)), ...fixed]
}
