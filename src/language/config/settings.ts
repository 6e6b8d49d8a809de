/** One setting line: `hide name = value`, `no_name`, `name`. Source: Exim manual, "Common option syntax". */
import { type Diagnostic, nearest, type Report, type Span } from '../../base/diagnostic.ts'
import { Expandable } from '../../base/expandable.ts'
import { type MappedText, skipSpace } from './mapped.ts'
import type { OptionRow, OptionTable } from './options/table.ts'
import type { Fault } from './strings.ts'
import { aboutComment, readValue, type SettingValue } from './values.ts'

/** A setting line cut in its parts; the value is not read yet, since only the option's row tells its type. */
export interface SettingLine {
  readonly line: MappedText
  readonly hide: boolean
  /** As written, with a `no_`. */
  readonly name: string
  readonly nameStart: number
  readonly nameEnd: number
}

/** Values by option name, as they are being read. */
export interface SettingsBeingRead {
  readonly values: Map<string, SettingValue | Expandable[]>
  readonly setAt: Map<string, Span>
  readonly hidden: Set<string>
}

export function newSettings(): SettingsBeingRead {
  return { values: new Map(), setAt: new Map(), hidden: new Set() }
}

/** Cuts a line; undefined, after a report, when it does not begin with a name. */
export function cutSetting(line: MappedText, report: Report): SettingLine | undefined {
  const start = /^hide(?:[ \t]+|$)/.exec(line.text)?.[0].length ?? 0
  const hide = start > 0
  const name = /^[A-Za-z][A-Za-z0-9_]*/.exec(line.text.slice(start))?.[0]
  if (name === undefined && start < line.text.length) {
    const message = `option setting expected: ${line.text.slice(start)}`
    error(
      report,
      'setting-expected',
      message,
      line.span(start),
      line.text.startsWith('\xef\xbb\xbf')
        ? 'the file begins with a byte order mark: save it without one'
        : line.text.startsWith('.if')
          ? 'conditions begin with .ifdef or .ifndef, and the name of a macro follows'
          : 'a setting begins with the name of an option',
    )
    return undefined
  }
  return { line, hide, name: name ?? '', nameStart: start, nameEnd: start + (name?.length ?? 0) }
}

export interface FoundOption {
  readonly name: string
  readonly row: OptionRow
  /** Written with `no_` or `not_`. */
  readonly negated: boolean
}

/** The row of a written name in the tables, under its own name, an older one, or with `no_` before it. */
export function findOption(name: string, tables: readonly OptionTable[]): FoundOption | undefined {
  const plain = findName(name, tables)
  if (plain !== undefined) return { ...plain, negated: false }
  const positive = /^not?_(.+)$/.exec(name)?.[1]
  const negated = positive === undefined ? undefined : findName(positive, tables)
  return negated && { ...negated, negated: true }
}

function findName(
  name: string,
  tables: readonly OptionTable[],
): { name: string; row: OptionRow } | undefined {
  for (const table of tables) {
    const row = Object.hasOwn(table, name) ? table[name] : undefined
    if (row !== undefined) return { name, row }
  }
  for (const table of tables) {
    for (const [canonical, row] of Object.entries(table)) {
      if (row.aliases !== undefined && Object.hasOwn(row.aliases, name)) return { name: canonical, row }
    }
  }
  return undefined
}

/** What else may begin a line of the main section. */
const listWords = ['addresslist', 'domainlist', 'hostlist', 'localpartlist', 'hide', '.include', '.ifdef']

/** The option name nearest to a wrong one, for the help line. */
export function nearestOption(name: string, tables: readonly OptionTable[]): string {
  const names = tables.flatMap((table) => Object.keys(table))
  if (tables.length === 1) names.push(...listWords)
  const switches = tables.flatMap((table) =>
    Object.entries(table).flatMap(([option, { type }]) =>
      type === 'boolean' || type === 'expandBoolean' ? [`no_${option}`] : [],
    ),
  )
  const negated = name.startsWith('no') ? nearest(name, switches) : undefined
  const near = negated ?? nearest(name, names) ?? nearest(name.replace(/^not?_/, ''), names)
  return near === undefined ? 'no option has this name or one like it' : `did you mean "${near}"?`
}

/** Reads the value of a setting and puts it to the others. */
export function takeSetting(
  setting: SettingLine,
  found: FoundOption,
  into: SettingsBeingRead,
  report: Report,
): void {
  const { line, nameStart, nameEnd } = setting
  const { name, row } = found
  const nameSpan = line.span(nameStart, nameEnd)
  if (setting.hide) into.hidden.add(name)
  const remark = row.aliases?.[setting.name]
  if (remark !== undefined) {
    report({
      code: 'option-renamed',
      severity: 'warning',
      message: remark,
      at: nameSpan,
      help: `write ${name}`,
    })
  }
  const first = into.setAt.get(name)
  if (first !== undefined && row.type !== 'expandMany' && into.values.has(name)) {
    report({
      code: 'option-set-twice',
      severity: 'error',
      fatal: true,
      message: `"${setting.name}" option set for the second time`,
      at: nameSpan,
      help: 'remove one of the two settings',
      also: [{ at: first, says: 'first set here' }],
    })
    return
  }
  const result = settingValue(setting, found)
  if ('fault' in result) {
    // It was set, if to nothing that can be used: who looks for it need not say that it is missing.
    if (first === undefined) into.setAt.set(name, nameSpan)
    const { code, message, start, end, help } = result.fault
    error(report, code, message, line.span(start, Math.max(start, end)), help)
    return
  }
  if (first === undefined) into.setAt.set(name, nameSpan)
  const { value } = result
  if (typeof value === 'boolean') for (const part of row.sets ?? []) into.values.set(part, value)
  if (row.type !== 'expandMany') {
    into.values.set(name, value)
  } else if (value instanceof Expandable) {
    const before = into.values.get(name)
    into.values.set(name, Array.isArray(before) ? [...before.filter(isExpandable), value] : [value])
  }
}

function isExpandable(value: unknown): value is Expandable {
  return value instanceof Expandable
}

function settingValue(setting: SettingLine, found: FoundOption): { value: SettingValue } | { fault: Fault } {
  const { line, name, nameStart, nameEnd } = setting
  const type = found.row.type
  const isSwitch = type === 'boolean' || type === 'expandBoolean'
  const at = skipSpace(line.text, nameEnd)
  const end = line.text.length
  const fault = (code: string, message: string, start: number, help?: string) => ({
    fault: { code, message, start, end: Math.max(end, start + 1), help },
  })
  if (found.negated && !isSwitch) {
    const message = 'negation prefix applied to a non-boolean option'
    return {
      fault: {
        code: 'option-negated',
        message,
        start: nameStart,
        end: nameEnd,
        help: `${found.name} takes a value`,
      },
    }
  }
  if (isSwitch && (at === end || found.negated)) {
    if (at < end) {
      const help = `write ${found.name} = no, or ${name} alone`
      const message = `extra characters follow boolean option ${name}${aboutComment(line.text, at)}`
      return fault('value-extra', message, at, help)
    }
    if (type === 'boolean') return { value: !found.negated }
    return { value: new Expandable(found.negated ? 'false' : 'true', line, found.name) }
  }
  // A switch with nothing behind its equals sign is on, as Exim 4.96 has it.
  if (isSwitch && line.text[at] === '=' && at + 1 === end) {
    return { value: type === 'boolean' ? true : new Expandable('true', line, found.name) }
  }
  if (at === end) {
    const message = `unexpected end of line (data missing) after ${name}`
    return fault('value-missing', message, nameStart, `write ${name} = value`)
  }
  if (line.text[at] !== '=') {
    if (isSwitch) {
      const message = `extra characters follow boolean option ${name}${aboutComment(line.text, at)}`
      return fault('value-extra', message, at, `write ${name} = yes`)
    }
    // U+00A0 in UTF-8, and in Latin-1.
    const help = /^(?:\xc2\xa0|\xa0)/.test(line.text.slice(at))
      ? 'this white space is a no-break space: write a plain one'
      : `write ${name} = value`
    return fault('equals-missing', `missing "=" after ${name}`, at, help)
  }
  return readValue(found.row, { line, start: skipSpace(line.text, at + 1), name: found.name })
}

/** The settings with the defaults of all rows that were not set. */
export function completeSettings(
  read: SettingsBeingRead,
  tables: readonly OptionTable[],
): Record<string, unknown> {
  const settings: Record<string, unknown> = {}
  for (const table of tables) {
    for (const [name, row] of Object.entries(table)) {
      settings[name] = read.values.has(name) ? read.values.get(name) : defaultOf(name, row)
    }
  }
  return settings
}

const plainTypes: ReadonlySet<string> = new Set([
  'boolean',
  'integer',
  'octal',
  'time',
  'timeList',
  'fixed',
  'string',
  'stringList',
])

function defaultOf(name: string, row: OptionRow): unknown {
  const value = row.default
  if (value === undefined || plainTypes.has(row.type)) return value
  const expandable = new Expandable(String(value), undefined, name)
  return row.type === 'expandMany' ? [expandable] : expandable
}

export function error(
  report: Report,
  code: string,
  message: string,
  at: Span | undefined,
  help?: string,
): void {
  const diagnostic: Diagnostic = { code, severity: 'error', fatal: true, message, at, help }
  report(diagnostic)
}
