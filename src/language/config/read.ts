/** Reads a whole configuration: files to settings. Every mistake is reported; reading goes on after each. */
import { type Diagnostic, locate, nearest, type Report } from '../../base/diagnostic.ts'
import { type ByteString, fromBytes } from '../../base/text.ts'
import { checkAccounts } from './accounts.ts'
import { AclSection } from './acls.ts'
import { builtinMacros } from './builtin.ts'
import { checkRules } from './checks.ts'
import type { Configuration, Instance, RetryRule, RewriteRule } from './configuration.ts'
import { DriverSection } from './drivers.ts'
import { LateMacros } from './late-macros.ts'
import { LineReader, type ReadFile } from './lines.ts'
import { MacroTable } from './macros.ts'
import { MainSection } from './main-section.ts'
import { type MappedText, skipSpace } from './mapped.ts'
import { authenticatorOptions } from './options/authenticator.ts'
import { mainOptions } from './options/main.ts'
import { routerOptions } from './options/router.ts'
import { transportOptions } from './options/transport.ts'
import { pendingOptions } from './pending.ts'
import { checkReferences } from './references.ts'
import type { Registries } from './registries.ts'
import { readRetryRule } from './retry.ts'
import { readRewriteRule } from './rewrite.ts'
import { completeSettings, error } from './settings.ts'
import { SourceFile } from './source.ts'

export interface ReadRequest {
  /** Name of the file to read, or to call the embedded text by. */
  readonly file: string
  readonly readFile: ReadFile
  /** Text to read instead of the file: the built-in default. Includes are still read from files. */
  readonly embedded?: ByteString
  /** Macros given with `-D`. */
  readonly defines?: ReadonlyMap<string, ByteString>
  readonly registries: Registries
}

/** More findings than this help no one: reading ends there. */
const maxDiagnostics = 500

const sectionNames = [
  'acl',
  'authenticators',
  'local_scan',
  'retry',
  'rewrite',
  'routers',
  'transports',
] as const
type SectionName = (typeof sectionNames)[number]

export function readConfiguration(request: ReadRequest): Configuration {
  const diagnostics: Diagnostic[] = []
  const told = new Set<string>()
  const report: Report = (diagnostic) => {
    // A file read twice by way of includes makes each mistake twice.
    const place = diagnostic.at && locate(diagnostic.at)
    const key = `${place?.file}:${place?.line}:${place?.column}:${diagnostic.message}`
    if (told.has(key) || diagnostics.length >= maxDiagnostics) return
    told.add(key)
    diagnostics.push(diagnostic)
  }
  const { registries } = request
  const macros = new MacroTable(() => builtinMacros(registries), request.defines ?? new Map())
  const normalizedLines: { text: string; hide: boolean }[] = []
  const moved = (file: string, line: number): void => {
    normalizedLines.push({ text: `# ${line} "${file}"`, hide: false })
  }
  const reader = new LineReader(openFirst(request, report), request.readFile, macros, report, moved)

  const main = new MainSection(registries, report)
  const acls = new AclSection(registries.names, report)
  const routers = new DriverSection('router', routerOptions, registries, report)
  const transports = new DriverSection('transport', transportOptions, registries, report)
  const authenticators = new DriverSection('authenticator', authenticatorOptions, registries, report)
  const retry: RetryRule[] = []
  const rewrite: RewriteRule[] = []
  const takers: Readonly<Record<SectionName | 'main' | 'unknown', (line: MappedText) => void>> = {
    main: (line) => main.take(line),
    acl: (line) => acls.take(line),
    routers: (line) => routers.take(line),
    transports: (line) => transports.take(line),
    authenticators: (line) => authenticators.take(line),
    retry: (line) => addTo(retry, readRetryRule(line, report)),
    rewrite: (line) => addTo(rewrite, readRewriteRule(line, report)),
    local_scan: () => undefined,
    unknown: () => undefined,
  }

  const late = new LateMacros()
  const defined = (line: MappedText): void => {
    const name = /^\w+/.exec(line.text)?.[0] ?? ''
    late.defined(name, line.span(0, name.length), report)
  }
  const seen = new Map<SectionName, MappedText>()
  let section: SectionName | 'main' | 'unknown' = 'main'
  for (let line = reader.next(); line !== undefined; line = reader.next()) {
    if (diagnostics.length >= maxDiagnostics) break
    normalizedLines.push({ text: line.text, hide: /^hide[ \t]/.test(line.text) })
    const bare = sectionNames.find((name) => name === line.text)
    if (bare !== undefined && bare !== section) {
      const help = `a section begins with "begin ${bare}"`
      error(report, 'section-unknown', `option "${bare}" unknown`, line.span(), help)
      section = bare
    } else if (/^begin /i.test(line.text)) section = beginSection(line, seen, report)
    else if (definesMacro(section, line)) {
      macros.define(line, report)
      defined(line)
      for (const part of [acls, routers, transports, authenticators]) part.close()
    } else {
      late.seen(line)
      takers[section](line)
    }
  }

  // Each driver's settings were read through its own table and the generic one, whose types these are.
  const settingsOf = <I>(instances: Instance<object>[]): I[] => instances as I[]
  const read = {
    routers: routers.finish(),
    transports: transports.finish(),
    authenticators: authenticators.finish(),
  }
  const hidden = new Set(main.settings.hidden)
  for (const drivers of [routers, transports, authenticators])
    for (const name of drivers.hidden) hidden.add(name)
  const configuration: Configuration = {
    file: request.file,
    files: reader.files,
    whole: reader.whole,
    // Read through mainOptions, from which MainSettings is made.
    main: completeSettings(main.settings, [mainOptions]) as Configuration['main'],
    mainSetAt: main.settings.setAt,
    hidden,
    namedLists: main.lists,
    acls: acls.finish(),
    routers: settingsOf<Configuration['routers'][number]>(read.routers),
    transports: byName(settingsOf(read.transports)),
    authenticators: settingsOf<Configuration['authenticators'][number]>(read.authenticators),
    retry,
    rewrite,
    macros: macros.list(),
    normalizedLines,
    diagnostics,
  }
  const declared = { routers: routers.names(), transports: transports.names() }
  const refused = checkRules(configuration, report)
  if (configuration.whole) checkReferences(configuration, declared, registries, refused, report)
  checkAccounts(configuration, registries, report)
  pendingOptions(configuration, registries, report)
  if (configuration.main.config_strict)
    diagnostics.splice(0, Number.POSITIVE_INFINITY, ...diagnostics.map(strictly))
  sortByPlace(diagnostics, reader.files)
  return configuration
}

function openFirst(request: ReadRequest, report: Report): SourceFile {
  if (request.embedded !== undefined) return new SourceFile(request.file, request.embedded)
  const result = request.readFile(request.file)
  if ('bytes' in result) return new SourceFile(request.file, fromBytes(result.bytes))
  const message = `failed to open configuration file ${request.file}: ${result.error}`
  error(report, 'file-unreadable', message, undefined)
  return new SourceFile(request.file, '')
}

function beginSection(
  line: MappedText,
  seen: Map<SectionName, MappedText>,
  report: Report,
): SectionName | 'unknown' {
  const start = skipSpace(line.text, 'begin'.length)
  const written = line.text.slice(start)
  // `begin router` and `begin acls` will do, as in Exim 4.96.
  const bare = written.toLowerCase().replace(/s$/, '')
  const name = sectionNames.find((known) => known.replace(/s$/, '') === bare)
  if (name === undefined) {
    const near = nearest(written.toLowerCase(), sectionNames)
    const help = near === undefined ? `sections are ${sectionNames.join(', ')}` : `did you mean "${near}"?`
    error(
      report,
      'section-unknown',
      `"${written}" is not a known configuration section name`,
      line.span(start),
      help,
    )
    const meant = sectionNames.find((known) => known === near)
    return meant === undefined || seen.has(meant) ? 'unknown' : meant
  }
  const before = seen.get(name)
  if (before !== undefined) {
    report({
      code: 'section-twice',
      severity: 'error',
      fatal: true,
      message: `"${written}" section is repeated in the configuration file`,
      at: line.span(start),
      help: 'put the two sections together',
      also: [{ at: before.span(), says: 'it first begins here' }],
    })
  }
  if (name === 'local_scan') {
    const message =
      'local_scan() options not supported: (LOCAL_SCAN_HAS_OPTIONS not defined in Local/Makefile)'
    error(report, 'local-scan', message, line.span(start), 'this program runs no local_scan function')
  }
  seen.set(name, line)
  return name
}

/** Macros are defined in the main section and between instances or ACLs, not in the other sections. */
function definesMacro(section: SectionName | 'main' | 'unknown', line: MappedText): boolean {
  if (section === 'main') return /^[A-Z]/.test(line.text)
  if (section === 'retry' || section === 'rewrite' || section === 'local_scan') return false
  return /^[A-Z][A-Za-z0-9_]*[ \t]*=/.test(line.text)
}

/** With `config_strict`, what else would only be told stops the start too. */
function strictly(diagnostic: Diagnostic): Diagnostic {
  const stops = diagnostic.severity === 'error' || diagnostic.code.startsWith('option-pending')
  return stops ? { ...diagnostic, severity: 'error', fatal: true } : diagnostic
}

/** In the order in which a person reads the files. */
function sortByPlace(diagnostics: Diagnostic[], files: readonly string[]): void {
  const rank = new Map<Diagnostic, readonly [number, number, number]>()
  for (const diagnostic of diagnostics) {
    const place = diagnostic.at && locate(diagnostic.at)
    rank.set(diagnostic, place ? [files.indexOf(place.file), place.line, place.column] : [-1, 0, 0])
  }
  const none = [0, 0, 0] as const
  diagnostics.sort((a, b) => {
    const [fileA, lineA, columnA] = rank.get(a) ?? none
    const [fileB, lineB, columnB] = rank.get(b) ?? none
    return fileA - fileB || lineA - lineB || columnA - columnB
  })
}

function addTo<T>(list: T[], item: T | undefined): void {
  if (item !== undefined) list.push(item)
}

function byName<T extends { readonly name: string }>(instances: readonly T[]): Map<string, T> {
  const map = new Map<string, T>()
  for (const instance of instances) if (!map.has(instance.name)) map.set(instance.name, instance)
  return map
}
