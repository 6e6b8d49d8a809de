/** Facts that do not change while a configuration is in force. */
import type { Configuration } from '../language/config/configuration.ts'
import type { ServerFacts } from '../ports.ts'
import type { RunTimeUser } from './run-time-user.ts'
import { eximVersion, posternVersion } from './version.ts'

export interface KnownFacts {
  readonly configuration: Configuration
  readonly primaryHostname: string
  readonly user: RunTimeUser
  readonly localInterfaces: () => readonly string[]
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
    localInterfaces: withExtra(known.localInterfaces, configuration.main.extra_local_interfaces),
    eximUid: user.uid,
    eximLogin: user.name,
    eximGid: user.gid,
    eximPath: known.programPath,
    eximVersion,
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

/** `extra_local_interfaces`: the wildcards stand for addresses that count in any case. */
function withExtra(
  system: () => readonly string[],
  extra: readonly string[] | undefined,
): () => readonly string[] {
  if (extra === undefined) return system
  const named = extra.filter((one) => !/^(?:0\.0\.0\.0|::0?|)$/.test(one))
  return () => [...system(), ...named]
}
