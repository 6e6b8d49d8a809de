/** The reference page of all options, made from their tables. A pure function: the caller writes the file. */
import { authenticatorOptions } from './options/authenticator.ts'
import { mainOptions } from './options/main.ts'
import { routerOptions } from './options/router.ts'
import type { OptionRow, OptionTable, OptionType } from './options/table.ts'
import { transportOptions } from './options/transport.ts'
import { timeText } from './print-values.ts'
import type { DriverTable, Registries } from './registries.ts'

/** How a type is named for people, and whether its value is expanded when used. */
const typeWords: Readonly<Record<OptionType, string>> = {
  boolean: 'boolean',
  integer: 'integer',
  octal: 'octal integer',
  time: 'time',
  timeList: 'list of times',
  fixed: 'fixed-point number',
  string: 'string',
  expand: 'string, expanded',
  expandBoolean: 'boolean, expanded',
  expandInteger: 'integer, expanded',
  expandTime: 'time, expanded',
  stringList: 'list',
  expandList: 'list, expanded',
  domainList: 'domain list, expanded',
  hostList: 'host list, expanded',
  addressList: 'address list, expanded',
  localPartList: 'local part list, expanded',
  expandMany: 'string, expanded; may be given several times',
  user: 'user, expanded',
  group: 'group, expanded',
  rewrite: 'rewriting rules',
}

function typeText({ type, items }: OptionRow): string {
  if (items === undefined) return typeWords[type]
  return `list, each item expanded${type === 'expandMany' ? '; may be given several times' : ''}`
}

/** The whole page as Markdown. */
export function optionsReference(registries: Registries): string {
  const sections = [
    '<!-- Generated from the option tables: do not edit. -->',
    '# Options',
    'Every option of the configuration file, what it takes and since which version it works. Options marked',
    '*not yet* are read and checked; using one is told with its place, and where it would make the server safer',
    'than it then is, the start is refused.',
    section('## Main options', mainOptions),
    section('## Options of every router', routerOptions),
    ...drivers('Router', registries.routers),
    section('## Options of every transport', transportOptions),
    ...drivers('Transport', registries.transports),
    section('## Options of every authenticator', authenticatorOptions),
    ...drivers('Authenticator', registries.authenticators),
  ]
  return `${sections.join('\n\n')}\n`
}

function drivers(kind: string, table: DriverTable): string[] {
  return Object.entries(table).map(([name, driver]) => {
    const heading = `### ${kind} ${name}${driver.works === false ? ' (not yet)' : ''}`
    if (Object.keys(driver.options).length === 0) return `${heading}\n\nIt has no options of its own.`
    return section(heading, driver.options)
  })
}

function section(heading: string, table: OptionTable): string {
  const rows = Object.entries(table).map(([name, row]) => {
    const cells = [`\`${name}\``, typeText(row), defaultText(row), status(row), meaning(row)]
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`
  })
  return [
    heading,
    '',
    '| option | type | default | works | meaning |',
    '| - | - | - | - | - |',
    ...rows,
  ].join('\n')
}

function status(row: OptionRow): string {
  if (row.noEffect !== undefined) return 'no effect'
  return row.since === undefined ? '*not yet*' : row.since
}

function meaning(row: OptionRow): string {
  const aliases = Object.keys(row.aliases ?? {})
  const older =
    aliases.length === 0 ? '' : ` Also written ${aliases.map((alias) => `\`${alias}\``).join(', ')}.`
  const why = row.noEffect === undefined ? '' : ` Without effect here: ${row.noEffect}.`
  return row.doc + older + why
}

function defaultText(row: OptionRow): string {
  const { default: value, type } = row
  if (value === undefined) return 'unset'
  if (type === 'boolean') return value === true ? 'true' : 'false'
  if (type === 'time') return timeText(Number(value))
  if (type === 'timeList')
    return Array.isArray(value) ? value.map((time) => timeText(Number(time))).join(':') : ''
  if (type === 'octal') return `0${Number(value).toString(8)}`
  const text = Array.isArray(value) ? value.join(' : ') : String(value)
  return text === '' ? 'empty' : `\`${text.replaceAll('\n', '\\n').replaceAll('\t', '\\t')}\``
}
