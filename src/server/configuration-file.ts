/**
 * Finds and reads the configuration. A door: it reads files.
 * Source: Exim manual, "The Exim run time configuration file".
 */
import { lstatSync, readFileSync, statSync } from 'node:fs'
import type { Diagnostic } from '../base/diagnostic.ts'
import { encodeUtf8, type ByteString } from '../base/text.ts'
import type { Configuration } from '../language/config/configuration.ts'
import { readConfiguration } from '../language/config/read.ts'
import type { Accounts } from '../ports.ts'
import { buildValues } from './build-table.ts'
import { collectRegistries, type LateCheck } from './registries.ts'

export interface ConfigurationRequest {
  /** Files of -C in the order to try; undefined: the built-in list. */
  readonly files?: readonly string[] | undefined
  /** Text in place of a file, and what to call it. */
  readonly embedded?: { readonly name: string; readonly text: string } | undefined
  readonly defines?: ReadonlyMap<string, ByteString> | undefined
  /** For a call that uses no driver and no ACL: what is wrong in theirs is left to those that do. */
  readonly settingsOnly?: boolean
  /** Where names of users are looked up; left out: this host's. */
  readonly accounts?: Accounts
  /** For a process that does nothing with its rights: whose the file is does not matter. */
  readonly anyOwner?: boolean
}

export type Loaded =
  | { readonly is: 'read'; readonly configuration: Configuration; readonly fatal: readonly Diagnostic[] }
  | { readonly is: 'none'; readonly message: string }

/** Largest configuration file that is read. */
const largestBytes = 64 * 1024 * 1024

export async function loadConfiguration(request: ConfigurationRequest): Promise<Loaded> {
  const checks: LateCheck[] = []
  const finish = (read: Configuration): Promise<Loaded> =>
    finishReading(read, request.settingsOnly === true ? undefined : checks)
  const common = {
    readFile,
    registries: collectRegistries((check) => checks.push(check), request.accounts),
    defines: request.defines ?? new Map<string, string>(),
  }
  if (request.embedded !== undefined) {
    const embedded = encodeUtf8(request.embedded.text)
    return finish(readConfiguration({ ...common, file: request.embedded.name, embedded }))
  }
  const candidates = request.files ?? buildValues.configurationFiles
  const file = candidates.find(exists)
  if (file === undefined) {
    return { is: 'none', message: `non-existent configuration file(s): ${candidates.join(':')}` }
  }
  const wrong = request.anyOwner === true ? undefined : wrongOwner(file)
  if (wrong !== undefined) return { is: 'none', message: wrong }
  return finish(readConfiguration({ ...common, file }))
}

async function finishReading(read: Configuration, checks: readonly LateCheck[] | undefined): Promise<Loaded> {
  const found: Diagnostic[] = []
  if (checks !== undefined) {
    for (const check of checks) await check((diagnostic) => found.push(diagnostic))
    const { checkAcls } = await import('./check-configuration.ts')
    if (read.whole) found.push(...checkAcls(read))
  }
  const configuration = { ...read, diagnostics: [...read.diagnostics, ...found] }
  const strict = configuration.main.config_strict
  const stops = (each: Diagnostic): boolean => each.severity === 'error' && (strict || each.fatal !== false)
  return { is: 'read', configuration, fatal: configuration.diagnostics.filter(stops) }
}

function exists(file: string): boolean {
  return lstatSync(file, { throwIfNoEntry: false }) !== undefined
}

/** A process with root's power obeys only files that nobody but root can change. */
function wrongOwner(file: string): string | undefined {
  if (process.geteuid?.() !== 0) return undefined
  const stat = statSync(file, { throwIfNoEntry: false })
  if (stat === undefined || !stat.isFile()) return undefined
  const owned = stat.uid === 0 || stat.uid === buildValues.configureOwner
  const groupMayWrite = (stat.mode & 0o020) !== 0 && stat.gid !== 0
  if (owned && !groupMayWrite && (stat.mode & 0o002) === 0) return undefined
  return `Exim configuration file ${file} has the wrong owner, group, or mode`
}

function readFile(
  path: string,
): { readonly bytes: Uint8Array } | { readonly error: string; readonly code: string } {
  try {
    // An empty configuration: every option has its default, which is enough for -be.
    if (path === '/dev/null') return { bytes: new Uint8Array() }
    const stat = statSync(path)
    if (!stat.isFile()) return { error: 'not a regular file', code: 'EINVAL' }
    if (stat.size > largestBytes) return { error: 'the file is larger than 64 MB', code: 'EFBIG' }
    return { bytes: readFileSync(path) }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'EIO'
    const words: Readonly<Record<string, string>> = {
      EACCES: 'Permission denied',
      ENOENT: 'No such file or directory',
      ELOOP: 'Too many levels of symbolic links',
    }
    return { error: words[code] ?? (error instanceof Error ? error.message : String(error)), code }
  }
}
