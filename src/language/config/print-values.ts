/** One option as `-bP` shows it. The forms were observed on Exim 4.96. */
import type { Span } from '../../base/diagnostic.ts'
import { Expandable } from '../../base/expandable.ts'
import type { ByteString } from '../../base/text.ts'
import { MappedText, skipSpace } from './mapped.ts'
import type { OptionRow } from './options/table.ts'
import { readString } from './strings.ts'
import { parseTime, splitList } from './values.ts'

/** Lists of users or groups are shown without the spaces of the file, and without one behind the equals sign. */
const accountLists: ReadonlySet<string> = new Set([
  'admin_groups',
  'never_users',
  'owners',
  'owngroups',
  'trusted_groups',
  'trusted_users',
])

export const notDisplayable = '<value not displayable>'

export interface ShownOption {
  readonly name: string
  readonly row: OptionRow
  readonly value: unknown
  /** Where it was set, for types that keep their value in another form than it was written. */
  readonly setAt?: Span | undefined
  readonly hidden: boolean
  /** `-n`: the value alone. */
  readonly nameless: boolean
}

/** `name = value`, or `name` and `no_name` of a switch. */
export function printOption(option: ShownOption): string {
  const { name, row, value, hidden, nameless } = option
  const named = (text: string): string =>
    nameless ? text : `${name} =${text === '' && isBare(option) ? '' : ' '}${text}`
  if (hidden) return named(notDisplayable)
  if (row.type === 'boolean') return switchText(name, value === true)
  if (
    row.type === 'expandBoolean' &&
    value instanceof Expandable &&
    /^(?:true|false|yes|no)$/i.test(value.text)
  ) {
    return switchText(name, /^(?:true|yes)$/i.test(value.text))
  }
  return named(valueText(option))
}

function switchText(name: string, on: boolean): string {
  return on ? name : `no_${name}`
}

/** Nothing, not even a space, behind the equals sign of an unset option of these. */
function isBare({ name, row }: ShownOption): boolean {
  return row.type === 'fixed' || accountLists.has(name)
}

function valueText(option: ShownOption): string {
  const { name, row, value, setAt } = option
  switch (row.type) {
    case 'integer':
      return typeof value === 'number' ? integerText(value, row) : '-1'
    case 'octal':
      // A negative one as its 32 bits, as Exim shows it.
      return typeof value === 'number' ? (value === 0 ? '0' : `0${(value >>> 0).toString(8)}`) : ''
    case 'time':
      return timeText(typeof value === 'number' ? value : 0)
    case 'timeList':
      return Array.isArray(value) ? value.map((seconds) => timeText(Number(seconds))).join(':') : ''
    case 'fixed':
      return typeof value === 'number' ? fixedText(value) : ''
    case 'stringList':
      return showable(
        writtenText(setAt) ?? (Array.isArray(value) ? value.join(':') : ''),
        accountLists.has(name),
      )
    case 'string':
      return showable(
        (row.anyCase ? writtenText(setAt) : undefined) ?? (typeof value === 'string' ? value : ''),
      )
    case 'expandMany':
      return showable(manyText(name, Array.isArray(value) ? value : []))
    default: {
      const text = value instanceof Expandable ? value.text : typeof value === 'string' ? value : ''
      const seconds = row.type === 'expandTime' ? parseTime(text) : undefined
      if (seconds !== undefined) return timeText(seconds)
      return showable(text, accountLists.has(name))
    }
  }
}

/** The value as it stands in the file, its quotes undone. */
function writtenText(setAt: Span | undefined): ByteString | undefined {
  const line = setAt?.origin
  if (!(line instanceof MappedText)) return undefined
  const equals = line.text.indexOf('=', setAt?.end)
  if (equals === -1) return undefined
  const text = readString({ line, start: skipSpace(line.text, equals + 1), name: '' })
  return 'fault' in text ? undefined : text.text
}

function showable(text: ByteString, isAccountList: boolean = false): string {
  const shown = isAccountList && !text.includes('$') ? splitList(text).join(':') : text
  return shown.replace(/[^ -~]/g, (c) => {
    const letter = { '\b': '\\b', '\f': '\\f', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\v': '\\v' }[c]
    return letter ?? `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`
  })
}

/** An option given several times, in the form that Exim makes of it. */
function manyText(name: string, values: readonly unknown[]): string {
  const texts = values.flatMap((value) => (value instanceof Expandable ? [value.text] : []))
  if (name === 'headers_remove')
    return texts
      .flatMap(splitList)
      .filter((item) => item !== '')
      .map((item) => item.replaceAll(':', '::'))
      .join(':')
  if (name !== 'condition') return texts.join(name === 'headers_add' ? '\n' : name === 'set' ? ';' : ':')
  if (texts.length < 2) return texts.join('')
  return texts.reduce((all, next) => `\${if and{{bool_lax{${all}}}{bool_lax{${next}}}}}`)
}

function integerText(value: number, row: OptionRow): string {
  if (row.size === undefined || value === 0) return String(value)
  const units: readonly [number, string][] =
    row.size === 'kilobytes'
      ? [
          [1024 ** 4, 'T'],
          [1024 ** 3, 'G'],
          [1024 ** 2, 'M'],
          [1024, 'K'],
        ]
      : [
          [1024 ** 2, 'M'],
          [1024, 'K'],
        ]
  const unit = units.find(([size]) => value % size === 0)
  return unit === undefined ? String(value) : `${value / unit[0]}${unit[1]}`
}

/** At least one digit behind the point. */
function fixedText(value: number): string {
  return value.toFixed(3).replace(/0{1,2}$/, '')
}

/** Seconds as Exim writes them: `1w2d3h4m5s`, without what is zero. */
export function timeText(seconds: number): string {
  if (seconds < 0) return `-${timeText(-seconds)}`
  let rest = Math.trunc(seconds)
  let text = ''
  for (const [size, letter] of [
    [604800, 'w'],
    [86400, 'd'],
    [3600, 'h'],
    [60, 'm'],
  ] as const) {
    const count = Math.floor(rest / size)
    if (count > 0) text += `${count}${letter}`
    rest %= size
  }
  return rest > 0 || text === '' ? `${text}${rest}s` : text
}
