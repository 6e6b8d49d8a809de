/** Asks lists about the client of a session. */
import type { Expandable } from '../../base/expandable.ts'
import { isFailure } from '../../base/outcome.ts'
import { textOf } from '../../base/text.ts'
import type { Context } from '../../ports.ts'

/**
 * True when the client matches a host list. A list that cannot be evaluated counts as `whenUnknown`, and the panic
 * log says why.
 */
export async function clientMatches(
  list: Expandable | undefined,
  context: Context,
  whenUnknown: boolean = false,
): Promise<boolean> {
  if (list === undefined || list.text === '') return false
  if (list.text === '*') return true
  const address = context.connection?.hostAddress
  const result = await context.ports.matchList('host', list, { address }, context)
  if (result.is === 'match') return true
  if (result.is === 'no') return false
  context.ports.log.panic(undefined, `${list.name}: ${result.message}`)
  return whenUnknown
}

/** An option that expands to a whole number; its failure is logged and gives undefined. */
export async function expandInteger(
  option: Expandable | undefined,
  context: Context,
): Promise<number | undefined> {
  if (option === undefined) return undefined
  const plain = /^\s*(\d+)([KMG]?)\s*$/i.exec(option.text) ?? undefined
  const text = plain === undefined ? await context.ports.expand(option, context) : option.text
  if (isFailure(text)) {
    if (text.kind !== 'forced')
      context.ports.log.panic(undefined, `failed to expand ${option.name}: ${text.message}`)
    return undefined
  }
  const match = /^\s*(-?\d+)([KMG]?)\s*$/i.exec(textOf(text))
  if (match === null) {
    context.ports.log.panic(undefined, `failed to interpret "${textOf(text)}" as a number for ${option.name}`)
    return undefined
  }
  const scale = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }[(match[2] ?? '').toUpperCase()] ?? 1
  return Number(match[1]) * scale
}

/** An option that expands to a time (`5m`, `1h30m`), in milliseconds. */
export async function expandTimeMs(option: Expandable, context: Context): Promise<number | undefined> {
  const text = /^[\dwdhms]+$/.test(option.text) ? option.text : await context.ports.expand(option, context)
  if (isFailure(text)) {
    context.ports.log.panic(undefined, `failed to expand ${option.name}: ${text.message}`)
    return undefined
  }
  const match = /^(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?$/.exec(textOf(text).trim())
  if (match === null || match[0] === '') return undefined
  const [weeks, days, hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0))
  const total =
    (((((weeks ?? 0) * 7 + (days ?? 0)) * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * 60 + (seconds ?? 0)) *
    1000
  return total
}

/** An expanded option, without taint; undefined when unset or forced to fail; failures go to the panic log. */
export async function expandOption(
  option: Expandable | undefined,
  context: Context,
): Promise<string | undefined> {
  if (option === undefined) return undefined
  const text = await context.ports.expand(option, context)
  if (!isFailure(text)) return textOf(text)
  if (text.kind !== 'forced')
    context.ports.log.panic(undefined, `failed to expand ${option.name}: ${text.message}`)
  return undefined
}
