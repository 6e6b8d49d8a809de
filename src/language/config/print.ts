/** Everything that `-bP` shows. Source: Exim manual, "Command line options", -bP; the forms were observed on Exim 4.96. */
import type { ByteString } from '../../base/text.ts'
import { builtinMacros } from './builtin.ts'
import type { Configuration, Instance, ListKind, NamedList } from './configuration.ts'
import { authenticatorOptions } from './options/authenticator.ts'
import { mainOptions } from './options/main.ts'
import { routerOptions } from './options/router.ts'
import type { OptionTable } from './options/table.ts'
import { transportOptions } from './options/transport.ts'
import { notDisplayable, printOption } from './print-values.ts'
import { configText } from './print-config.ts'
import { workedOut } from './worked-out.ts'
import type { DriverTable, Registries } from './registries.ts'

export interface PrintRequest {
  readonly configuration: Configuration
  readonly registries: Registries
  /** What follows `-bP`. */
  readonly names: readonly string[]
  /** Only an admin sees hidden values and macros. */
  readonly admin: boolean
  /** `-n`: values without their names. */
  readonly nameless?: boolean
  /** Main options whose value is found out when the program starts: `primary_hostname`, `exim_user`, `log_file_path`. */
  readonly effective?: ReadonlyMap<string, string>
  /** The name of a user's main group. */
  readonly groupOf?: (user: string) => string | undefined
  /** The environment as `keep_environment` and `add_environment` leave it. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** For the first line of `-bP config`: `Exim Configuration (4.99)`. */
  readonly version: string
}

export interface PrintResult {
  readonly output: string
  /** For the standard error stream. */
  readonly complaint: string
  readonly exitCode: 0 | 1
}

type DriverKind = 'router' | 'transport' | 'authenticator'

interface Shown {
  readonly lines: readonly string[]
  readonly failed?: boolean
  readonly complaint?: string
}

const denied: Shown = { lines: [], failed: true, complaint: 'exim: permission denied' }

/** Answers one `-bP` command line. */
export function printConfiguration(request: PrintRequest): PrintResult {
  const names = request.names.length === 0 ? ['all'] : request.names
  const lines: string[] = []
  let complaint = ''
  let exitCode: 0 | 1 = 0
  for (let i = 0; i < names.length; i++) {
    const word = names[i] ?? ''
    const next = names[i + 1]
    let shown: Shown
    if (isPaired(word) && next !== undefined) {
      shown = word === 'macro' ? macro(request, next) : oneDriver(request, word, next)
      i++
    } else {
      shown = one(request, word)
    }
    lines.push(...shown.lines)
    if (shown.failed) exitCode = 1
    if (shown.complaint !== undefined) {
      complaint = `${shown.complaint}\n`
      break
    }
  }
  return { output: lines.map((line) => `${line}\n`).join(''), complaint, exitCode }
}

function isPaired(word: string): word is DriverKind | 'macro' {
  return word === 'router' || word === 'transport' || word === 'authenticator' || word === 'macro'
}

function one(request: PrintRequest, word: string): Shown {
  const { configuration, nameless = false } = request
  switch (word) {
    case 'all':
      return { lines: Object.keys(mainOptions).map((name) => mainOption(request, name)) }
    case 'config':
      return { lines: configText(configuration, request) }
    case 'configure_file':
    case 'config_file':
      return { lines: [configuration.file] }
    case 'environment':
      return { lines: environmentLines(request.environment ?? {}, nameless) }
    case 'macros':
      return macros(request, (name, text) => (nameless ? text : `${name}=${text}`))
    case 'macro_list':
      return macros(request, (name) => name)
    case 'routers':
    case 'transports':
    case 'authenticators':
      return allDrivers(request, kindOf(word))
    case 'router_list':
    case 'transport_list':
    case 'authenticator_list':
      return { lines: instances(request, kindOf(word)).map((instance) => instance.name) }
    default:
      if (word.startsWith('+')) return namedLists(request, word.slice(1))
      if (Object.hasOwn(mainOptions, word)) return { lines: [mainOption(request, word)] }
      return { lines: [`${word} is not a known option`], failed: true }
  }
}

function mainOption(request: PrintRequest, name: string): string {
  const { configuration, admin, nameless = false, effective } = request
  const table: OptionTable = mainOptions
  const row = table[name]
  if (row === undefined) return ''
  const settings = new Map<string, unknown>(Object.entries(configuration.main))
  const hidden = configuration.hidden.has(name) && !admin
  const found = effective?.get(name)
  if (found !== undefined && !hidden) return nameless ? found : `${name} = ${found}`
  const setAt = configuration.mainSetAt.get(name)
  return printOption({ name, row, value: settings.get(name), setAt, hidden, nameless })
}

const generic: Readonly<Record<DriverKind, OptionTable>> = {
  router: routerOptions,
  transport: transportOptions,
  authenticator: authenticatorOptions,
}

/** Names that only stand for others are not shown: `verify` is shown as what it sets. */
function driverLines(request: PrintRequest, kind: DriverKind, instance: Instance<object>): string[] {
  const { configuration, admin, nameless = false } = request
  const settings = new Map<string, unknown>(Object.entries(instance.settings))
  const facts = {
    groupOf: request.groupOf ?? (() => undefined),
    primaryHostname: request.effective?.get('primary_hostname') ?? '',
  }
  const section = (table: OptionTable, owner: string): string[] =>
    Object.entries(table).flatMap(([name, row]) => {
      if (row.sets !== undefined) return []
      const hidden = configuration.hidden.has(`${owner}.${name}`) && !admin
      const value =
        workedOut(kind, instance, name, facts) ??
        settings.get(name) ??
        (name === 'public_name' ? instance.name : undefined)
      return [printOption({ name, row, value, setAt: instance.setAt.get(name), hidden, nameless })]
    })
  const own = driverTable(request, kind)[instance.driver]?.options ?? {}
  return [...section(generic[kind], kind), ...section(own, `${kind}.${instance.driver}`)]
}

function oneDriver(request: PrintRequest, kind: DriverKind, name: string): Shown {
  const instance = instances(request, kind).find((candidate) => candidate.name === name)
  if (instance === undefined) return { lines: [`${kind} ${name} not found`], failed: true }
  return { lines: driverLines(request, kind, instance) }
}

function allDrivers(request: PrintRequest, kind: DriverKind): Shown {
  const lines = instances(request, kind).flatMap((instance) => [
    '',
    `${instance.name} ${kind}:`,
    ...driverLines(request, kind, instance),
  ])
  return { lines }
}

function kindOf(word: string): DriverKind {
  return word.startsWith('router') ? 'router' : word.startsWith('transport') ? 'transport' : 'authenticator'
}

function instances({ configuration }: PrintRequest, kind: DriverKind): readonly Instance<object>[] {
  if (kind === 'router') return configuration.routers
  if (kind === 'transport') return [...configuration.transports.values()]
  return configuration.authenticators
}

function driverTable({ registries }: PrintRequest, kind: DriverKind): DriverTable {
  if (kind === 'router') return registries.routers
  return kind === 'transport' ? registries.transports : registries.authenticators
}

function macros(request: PrintRequest, show: (name: string, text: string) => string): Shown {
  if (!request.admin) return denied
  return { lines: [...allMacros(request)].map(([name, text]) => show(name, text)) }
}

function macro(request: PrintRequest, name: string): Shown {
  if (!request.admin) return denied
  const text = allMacros(request).get(name)
  if (text === undefined) return { lines: [`macro ${name} not found`], failed: true }
  return { lines: [request.nameless ? text : `${name}=${text}`] }
}

function allMacros({ configuration, registries }: PrintRequest): ReadonlyMap<string, ByteString> {
  const own = configuration.macros.map(({ name, text }) => [name, text] as const)
  return new Map([...builtinMacros(registries), ...own])
}

const listWords: Readonly<Record<ListKind, string>> = {
  address: 'addresslist',
  domain: 'domainlist',
  host: 'hostlist',
  localpart: 'localpartlist',
}

function namedLists({ configuration, nameless }: PrintRequest, name: string): Shown {
  const kinds: readonly ListKind[] = ['address', 'domain', 'host', 'localpart']
  const lists = kinds.flatMap((kind): NamedList[] => {
    const list = configuration.namedLists[kind].get(name)
    return list === undefined ? [] : [list]
  })
  if (lists.length === 0) {
    return { lines: [`no address, domain, host, or local part list called "${name}" exists`], failed: true }
  }
  const lines = lists.map((list) => {
    // A list written with hide is not shown to an admin either.
    const value = list.hide ? notDisplayable : list.value.text
    return nameless ? value : `${listWords[list.kind]} ${name} = ${value}`
  })
  return { lines }
}

function environmentLines(
  environment: Readonly<Record<string, string | undefined>>,
  nameless: boolean,
): string[] {
  return Object.entries(environment)
    .flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => (nameless ? name : `${name}=${value}`))
}
