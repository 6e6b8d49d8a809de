/** Expands options of transports; a forced failure counts as unset where the manual says so. */
import type { Expandable } from '../../base/expandable.ts'
import { Failure, type Awaitable, after } from '../../base/outcome.ts'
import { textOf, type ByteString, type Text } from '../../base/text.ts'
import type { Context, HostSubject } from '../../ports.ts'

/** The expanded option; undefined when unset; a forced failure is a `Failure` like others. */
export function expanded(
  option: Expandable | undefined,
  context: Context,
): Awaitable<Text | undefined | Failure> {
  if (option === undefined) return undefined
  // Most options are plain words: they need no engine.
  if (!option.text.includes('$') && !option.text.includes('\\')) return option.text
  return context.ports.expand(option, context)
}

/** The same as bytes, for options whose taint does not matter. */
export function expandedBytes(
  option: Expandable | undefined,
  context: Context,
): Awaitable<ByteString | undefined | Failure> {
  return after(expanded(option, context), (value) =>
    value === undefined || value instanceof Failure ? value : textOf(value),
  )
}

/** An expanded integer with K, M, G. */
export function expandedInteger(
  option: Expandable | undefined,
  context: Context,
  fallback: number,
): Awaitable<number | Failure> {
  return after(expandedBytes(option, context), (value) => {
    if (value === undefined || value instanceof Failure) return value ?? fallback
    const number = readInteger(value.trim())
    if (number === undefined) {
      const found = /^\s*[-+]?\d/.test(value)
      return new Failure(
        'failure',
        found ? `invalid integer "${value}"` : `integer expected but "${value}" found`,
      )
    }
    return number
  })
}

/** Decimal, 0x hex or 0 octal, with K, M or G. */
export function readInteger(text: string): number | undefined {
  const match = /^(-?(?:0x[0-9a-f]+|\d+))([kmg]?)$/i.exec(text)
  if (match === null) return undefined
  const digits = match[1] ?? ''
  const value = /^-?0\d/.test(digits) ? Number.parseInt(digits, 8) : Number(digits)
  const scale = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[(match[2] ?? '').toLowerCase()] ?? 1
  return value * scale
}

/** `4h30m` as seconds. */
export function readTime(text: string): number | undefined {
  const match = /^(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?$/.exec(text.trim())
  if (match === null || text.trim() === '') return undefined
  const [, w, d, h, m, s] = match
  return (
    Number(w ?? 0) * 604_800 +
    Number(d ?? 0) * 86_400 +
    Number(h ?? 0) * 3600 +
    Number(m ?? 0) * 60 +
    Number(s ?? 0)
  )
}

/** `true`, `yes`, `1` and their opposites. */
export function expandedBoolean(
  option: Expandable | undefined,
  context: Context,
  fallback: boolean,
): Awaitable<boolean | Failure> {
  return after(expandedBytes(option, context), (value) => {
    if (value === undefined || value === '') return fallback
    if (value instanceof Failure) return value
    const word = value.trim().toLowerCase()
    if (word === 'true' || word === 'yes' || word === '1') return true
    if (word === 'false' || word === 'no' || word === '0') return false
    return new Failure('failure', `"${value}" is not a valid value for the "${option?.name ?? ''}" option`)
  })
}

/** A failure that was not forced. */
export function mistakeIn(value: unknown): Failure | undefined {
  return value instanceof Failure && value.kind !== 'forced' ? value : undefined
}

/** Is this host in the list? Unset lists match nothing; a list that defers or fails counts as no match. */
export function hostListed(
  list: Expandable | undefined,
  host: HostSubject,
  context: Context,
): Awaitable<boolean> {
  if (list === undefined || list.text === '') return false
  if (list.text === '*') return true
  return after(context.ports.matchList('host', list, host, context), (result) => result.is === 'match')
}

/** For lists that make things safer (`hosts_require_...`): one that cannot be read for now counts as a match. */
export function hostListedStrictly(
  list: Expandable | undefined,
  host: HostSubject,
  context: Context,
): Awaitable<boolean> {
  if (list === undefined || list.text === '') return false
  if (list.text === '*') return true
  return after(context.ports.matchList('host', list, host, context), (result) => result.is !== 'no')
}
