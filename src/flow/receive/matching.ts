/** Asks lists about the client of a session. */
import type { Expandable } from '../../base/expandable.ts'
import { parseInterval } from '../../base/interval.ts'
import { after, type Awaitable, isFailure } from '../../base/outcome.ts'
import { textOf } from '../../base/text.ts'
import type { Context } from '../../ports.ts'

/**
 * True when the client matches a host list. A list that cannot be evaluated counts as `whenUnknown`, and the panic
 * log says why.
 */
export function clientMatches(
  list: Expandable | undefined,
  context: Context,
  whenUnknown: boolean = false,
): Awaitable<boolean> {
  if (list === undefined || list.text === '') return false
  if (list.text === '*') return true
  const address = context.connection?.hostAddress
  return after(context.ports.matchList('host', list, { address }, context), (result) => {
    if (result.is === 'match') return true
    if (result.is === 'no') return false
    context.ports.log.panic(undefined, `${list.name}: ${result.message}`)
    return whenUnknown
  })
}

/** What options that are plain numbers or times come to; they are read with each message. */
const plainNumbers = new WeakMap<Expandable, number>()

/** An option that expands to a whole number; its failure is logged and gives undefined. */
export function expandInteger(
  option: Expandable | undefined,
  context: Context,
): Awaitable<number | undefined> {
  if (option === undefined) return undefined
  const known = plainNumbers.get(option)
  if (known !== undefined) return known
  if (/^\s*\d+[KMG]?\s*$/i.test(option.text)) {
    const number = readInteger(option.text) ?? 0
    plainNumbers.set(option, number)
    return number
  }
  return after(context.ports.expand(option, context), (text) => {
    if (isFailure(text)) {
      if (text.kind !== 'forced')
        context.ports.log.panic(undefined, `failed to expand ${option.name}: ${text.message}`)
      return undefined
    }
    const number = readInteger(textOf(text))
    if (number === undefined) {
      context.ports.log.panic(
        undefined,
        `failed to interpret "${textOf(text)}" as a number for ${option.name}`,
      )
    }
    return number
  })
}

function readInteger(text: string): number | undefined {
  const match = /^\s*(-?\d+)([KMG]?)\s*$/i.exec(text)
  if (match === null) return undefined
  const scale = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }[(match[2] ?? '').toUpperCase()] ?? 1
  return Number(match[1]) * scale
}

/** An option that expands to a time (`5m`, `1h30m`), in milliseconds. */
export function expandTimeMs(option: Expandable, context: Context): Awaitable<number | undefined> {
  const known = plainNumbers.get(option)
  if (known !== undefined) return known
  if (/^[\dwdhms]+$/.test(option.text)) {
    const time = readTimeMs(option.text)
    if (time !== undefined) plainNumbers.set(option, time)
    return time
  }
  return after(context.ports.expand(option, context), (text) => {
    if (!isFailure(text)) return readTimeMs(textOf(text))
    context.ports.log.panic(undefined, `failed to expand ${option.name}: ${text.message}`)
    return undefined
  })
}

/** Seconds may come without their letter. */
function readTimeMs(text: string): number | undefined {
  const seconds = parseInterval(text.trim().replace(/\d$/, '$&s'))
  return seconds === undefined ? undefined : seconds * 1000
}

/** An expanded option, without taint; undefined when unset or forced to fail; failures go to the panic log. */
export function expandOption(
  option: Expandable | undefined,
  context: Context,
): Awaitable<string | undefined> {
  if (option === undefined) return undefined
  return after(context.ports.expand(option, context), (text) => {
    if (!isFailure(text)) return textOf(text)
    if (text.kind !== 'forced')
      context.ports.log.panic(undefined, `failed to expand ${option.name}: ${text.message}`)
    return undefined
  })
}
