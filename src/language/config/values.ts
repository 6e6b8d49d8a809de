/** The value part of a setting, read by the type of its option. Source: Exim manual, sections 6.12 to 6.22. */
import { Expandable, ExpandableItems } from '../../base/expandable.ts'
import type { ByteString } from '../../base/text.ts'
import { isSpace, MappedText, skipSpace, type Stretch } from './mapped.ts'
import type { OptionRow, OptionType } from './options/table.ts'
import { type Fault, fault, readString, type ValueSource } from './strings.ts'

export type SettingValue =
  | boolean
  | number
  | ByteString
  | Expandable
  | readonly ByteString[]
  | readonly number[]

export type ReadValue = { readonly value: SettingValue } | { readonly fault: Fault }

type Reader = (source: ValueSource, row: OptionRow) => ReadValue

const readers: Readonly<Record<OptionType, Reader>> = {
  boolean: readBoolean,
  integer: readInteger,
  octal: readOctal,
  time: readTime,
  timeList: readTimeList,
  fixed: readFixed,
  string: (source, row) =>
    withString(source, (text) => ({ value: row.anyCase ? text.text.toLowerCase() : text.text })),
  stringList: (source) => withString(source, (text) => ({ value: splitList(text.text) })),
  expand: readExpandable,
  expandBoolean: (source, row) => literalOr(readBoolean, source, row),
  expandInteger: (source, row) => literalOr(readInteger, source, row),
  expandTime: (source, row) => literalOr(readTime, source, row),
  expandList: readMaybeItems,
  domainList: readExpandable,
  hostList: readExpandable,
  addressList: readExpandable,
  localPartList: readExpandable,
  expandMany: readMaybeItems,
  user: readExpandable,
  group: readExpandable,
  rewrite: readExpandable,
}

export function readValue(row: OptionRow, source: ValueSource): ReadValue {
  return readers[row.type](source, row)
}

const switchWords: Readonly<Record<string, boolean>> = { yes: true, true: true, no: false, false: false }

function readBoolean({ line, start, name }: ValueSource): ReadValue {
  const word = /^(?:[A-Za-z][A-Za-z0-9_]*)?/.exec(line.text.slice(start))?.[0] ?? ''
  const lower = word.toLowerCase()
  const value = Object.hasOwn(switchWords, lower) ? switchWords[lower] : undefined
  if (value === undefined) {
    const message = `"${word}" is not a valid value for the "${name}" option`
    return fault('value-not-boolean', message, start, line.text.length, 'write yes, no, true or false')
  }
  const rest = skipSpace(line.text, start + word.length)
  if (rest === line.text.length) return { value }
  const message = `extra characters follow "${word}" for boolean option ${name}${aboutComment(line.text, rest)}`
  return fault('value-extra', message, rest, line.text.length, `${name} = ${word} is enough`)
}

/** What Exim adds where a comment was meant. */
export function aboutComment(text: ByteString, at: number): string {
  return text[at] === '#' ? ' (# is comment only at line start)' : ''
}

/** Beyond T a number of 32 bits has no letter; Exim 4.96 takes the others for free space only. */
const multipliers: Readonly<Record<string, number>> = {
  '': 1,
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
  T: 1024 ** 4,
  P: 1024 ** 5,
  E: 1024 ** 6,
  Z: 1024 ** 7,
}

function readInteger({ line, start, name }: ValueSource, row: OptionRow): ReadValue {
  const text = line.text.slice(start)
  const kilobytes = row.size === 'kilobytes'
  const letters = kilobytes
    ? /^([+-]?)(0[xX][0-9A-Fa-f]+|\d+)([KMGTPEZ]?)/i
    : /^([+-]?)(0[xX][0-9A-Fa-f]+|\d+)([KMGT]?)/i
  const match = letters.exec(text)
  const digits = match?.[2]
  const help = `an integer is decimal, 0x hexadecimal or 0 octal, and may end in K, M or G${kilobytes ? ', T, P or E' : ''}`
  if (match === null || digits === undefined) {
    return fault('value-not-integer', `integer expected for ${name}`, start, line.text.length, help)
  }
  const octal = /^0[0-7]*/.exec(digits)?.[0]
  const isHex = /^0x/i.test(digits)
  const used = octal !== undefined && !isHex ? octal : digits
  const base = isHex ? 16 : octal === undefined ? 10 : 8
  // What follows the digits of its base is foreign, as the 9 in 019.
  const end = used === digits ? match[0].length : (match[1] ?? '').length + used.length
  const suffix = used === digits ? (match[3] ?? '').toUpperCase() : ''
  const factor = multipliers[suffix === '' && kilobytes ? 'K' : suffix] ?? 1
  const size = Number.parseInt(isHex ? used.slice(2) : used, base) * factor
  if (kilobytes ? size / 1024 >= 2 ** 63 : size > 0x7fffffff) {
    const message = `absolute value of integer "${text.slice(0, end)}" is too large (overflow)`
    return fault('value-too-large', message, start, start + end)
  }
  const rest = skipSpace(text, end)
  if (rest < text.length) {
    const message = `extra characters follow integer value for ${name}${aboutComment(text, rest)}`
    const comment = text.startsWith('#', rest) ? 'a comment stands on a line of its own' : help
    return fault('value-extra', message, start + rest, line.text.length, comment)
  }
  return { value: match[1] === '-' ? -size : size }
}

function readOctal({ line, start, name }: ValueSource): ReadValue {
  const match = /^([+-]?)([0-7]+)([KMG]?)/i.exec(line.text.slice(start))
  if (match === null) {
    const message = `octal integer expected for ${name}`
    return fault('value-not-octal', message, start, line.text.length, 'only the digits 0 to 7 stand in it')
  }
  const [whole, sign, digits = '', suffix = ''] = match
  const rest = skipSpace(line.text, start + whole.length)
  if (rest < line.text.length) {
    const message = `extra characters follow octal integer value for ${name}${aboutComment(line.text, rest)}`
    return fault('value-extra', message, rest, line.text.length, 'only the digits 0 to 7 stand in it')
  }
  const value = Number.parseInt(digits, 8) * (multipliers[suffix.toUpperCase()] ?? 1)
  return { value: sign === '-' ? -value : value }
}

function readFixed({ line, start, name }: ValueSource): ReadValue {
  const match = /^\d+(?:\.\d*)?/.exec(line.text.slice(start))
  if (match === null) {
    const message = `fixed-point number expected for ${name}`
    return fault('value-not-fixed', message, start, line.text.length, 'such as 8 or 7.5')
  }
  if (start + match[0].length < line.text.length) {
    const rest = skipSpace(line.text, start + match[0].length)
    const message = `extra characters follow fixed-point value for ${name}${aboutComment(line.text, rest)}`
    return fault('value-extra', message, start + match[0].length, line.text.length, 'such as 8 or 7.5')
  }
  return { value: Math.trunc(Number(match[0]) * 1000) / 1000 }
}

const timeHelp = 'a time is numbers with a unit each: s, m, h, d or w, such as 1h30m'

function readTime({ line, start, name }: ValueSource, row: OptionRow): ReadValue {
  const value = parseTime(line.text.slice(start))
  if (value !== undefined) return { value: row.most === undefined || value <= row.most ? value : row.most }
  return fault('value-not-time', `invalid time value for ${name}`, start, line.text.length, timeHelp)
}

/** Neither quotes nor another separator, and nothing behind the last colon: Exim 4.96 takes times alone. */
function readTimeList({ line, start, name }: ValueSource): ReadValue {
  const values: number[] = []
  const { text } = line
  if (start === text.length) return { value: values }
  for (const part of text.slice(start).matchAll(/(?:^|:)([^:]*)/g)) {
    const item = trimSpace(part[1] ?? '')
    const at = start + part.index + part[0].indexOf(item)
    const value = parseTime(item)
    if (value === undefined)
      return fault('value-not-time', `invalid time value for ${name}`, at, at + item.length, timeHelp)
    const before = values.at(-1)
    if (before !== undefined && value <= before) {
      const message = `time value out of order for ${name}`
      return fault('value-not-time', message, at, at + item.length, 'each time is longer than the one before')
    }
    values.push(value)
  }
  return { value: values }
}

const timeUnits: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 }

/** Seconds of a time such as `1h30m`; undefined when it is none. */
export function parseTime(text: ByteString): number | undefined {
  if (!/^(?:\d{1,10}[smhdw])+$/.test(text)) return undefined
  let seconds = 0
  for (const [, number, unit] of text.matchAll(/(\d+)([smhdw])/g))
    seconds += Number(number) * (timeUnits[unit ?? ''] ?? 0)
  return seconds > 0x7fffffff ? undefined : seconds
}

function readExpandable(source: ValueSource): ReadValue {
  return withString(source, (text) => ({ value: new Expandable(text.text, text, source.name) }))
}

function readMaybeItems(source: ValueSource, { items }: OptionRow): ReadValue {
  return items === undefined ? readExpandable(source) : readItems(source, items)
}

/** A list whose items are expanded one by one: a separator within an expansion counts too, unless it is doubled. */
function readItems(source: ValueSource, usual: ':' | '\n'): ReadValue {
  return withString(source, (whole) => {
    const items: Expandable[] = []
    const { text } = whole
    const { separator, start } = listSeparator(text, usual)
    const doubles = separator > ' ' && separator !== '\x7f'
    let pieces: MappedText[] = []
    let from = start
    for (let at = start; at <= text.length; at++) {
      if (at < text.length && text.charAt(at) !== separator) continue
      if (doubles && text.charAt(at + 1) === separator) {
        pieces.push(whole.slice(from, at + 1))
        from = ++at + 1
        continue
      }
      const item = joined([...pieces, whole.slice(from, at)]).trim()
      if (item.text !== '') items.push(new Expandable(item.text, item, source.name))
      pieces = []
      from = at + 1
    }
    return { value: new ExpandableItems(text, items, whole, source.name) }
  })
}

function joined(pieces: readonly MappedText[]): MappedText {
  const [first, ...more] = pieces
  if (first !== undefined && more.length === 0) return first
  const stretches: Stretch[] = []
  let text = ''
  for (const piece of pieces) {
    const before = text.length
    if (piece.text !== '')
      stretches.push(
        ...piece.stretchesOf(0, piece.text.length).map((one) => ({ ...one, at: one.at + before })),
      )
    text += piece.text
  }
  return new MappedText(text, stretches)
}

/** A value that is expanded when used; one without a dollar sign must already be right. */
function literalOr(read: Reader, source: ValueSource, row: OptionRow): ReadValue {
  const value = readExpandable(source)
  if (source.line.text.includes('$', source.start)) return value
  const literal = read(source, row)
  return 'fault' in literal ? literal : value
}

function withString(source: ValueSource, next: (text: MappedText) => ReadValue): ReadValue {
  const text = readString(source)
  return 'fault' in text ? text : next(text)
}

function listSeparator(text: ByteString, usual: string): { separator: string; start: number } {
  const start = skipSpace(text, 0)
  const chosen = /^<([\x01-\x1f\x7f!-/:-@[-`{-~])/.exec(text.slice(start))?.[1]
  return chosen === undefined ? { separator: usual, start } : { separator: chosen, start: start + 2 }
}

/** Splits a list that is not expanded: colon or the separator after `<`, doubled for itself, no empty last item. */
export function splitList(text: ByteString): ByteString[] {
  const { separator, start } = listSeparator(text, ':')
  let at = start
  const items: ByteString[] = []
  let item = ''
  for (; at < text.length; at++) {
    const c = text.charAt(at)
    if (c !== separator) item += c
    else if (text.charAt(at + 1) === separator && separator > ' ' && separator !== '\x7f') {
      item += c
      at++
    } else {
      items.push(trimSpace(item))
      item = ''
    }
  }
  const last = trimSpace(item)
  return last === '' ? items : [...items, last]
}

function trimSpace(text: ByteString): ByteString {
  const start = skipSpace(text, 0)
  let end = text.length
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}
