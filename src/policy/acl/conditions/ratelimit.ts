/** Source: Exim manual, "Rate limiting incoming messages" and the sections after it. */
import { formatInterval } from '../../../base/interval.ts'
import { after } from '../../../base/outcome.ts'
import { textOf } from '../../../base/text.ts'
import type { Context } from '../../../ports.ts'
import { placeNames } from '../place.ts'
import { parseRateLimit, type RateLimit } from '../ratelimit/parse.ts'
import { measure, type RateRecord } from '../ratelimit/rate.ts'
import { type AclCall, errorOf, FALSE, type Tested, type TextCondition, TRUE } from '../row.ts'

export const ratelimit: TextCondition = {
  kind: 'condition',
  name: 'ratelimit',
  doc: 'True when the measured rate of messages, recipients, bytes, commands or connections reaches the limit.',
  since: '0.1',
  tier: 'A',
  argument: 'text',
  phases: 'all',
  run(call, argument) {
    const { context } = call
    const parts = splitSlashes(textOf(argument))
    const limit = parseRateLimit(parts, call.place, placeNames[call.place], factsOf(context))
    if ('error' in limit) {
      return errorOf(
        limit.plain === true ? limit.error : `error in arguments to "ratelimit" condition: ${limit.error}`,
      )
    }
    return check(call, limit)
  },
}

/** Parts between slashes, outer white space gone; a doubled slash stands for itself. */
function splitSlashes(text: string): string[] {
  if (text.trim() === '') return []
  const marked = text.replaceAll('//', '\0')
  return marked.split('/').map((part) => part.replaceAll('\0', '/').trim())
}

function factsOf(context: Context): Parameters<typeof parseRateLimit>[3] {
  const { connection, message, address } = context
  return {
    host: connection?.hostAddress ?? '',
    recipient: address === undefined ? '' : `${address.localPart}@${address.domain}`,
    recipients: message?.recipients.length ?? 0,
    messageSize: message?.size ?? -1,
  }
}

function check(call: AclCall, limit: RateLimit): ReturnType<TextCondition['run']> {
  const { context } = call
  const { debug, ports } = context
  const shownCount = limit.readonly ? 0 : limit.count
  debug?.(
    'acl',
    `ratelimit condition count=${roundHalfEven(shownCount)} ${limit.most.toFixed(1)}/${limit.key}`,
  )
  const memory = memoryFor(call, limit)
  const known = memory?.get(`ratelimit ${limit.key}`)
  if (typeof known === 'number') {
    debug?.('acl', `ratelimit found pre-computed rate ${known.toFixed(1)}`)
    return decide(context, limit, known, true)
  }
  const measured = (old: RateRecord | undefined): ReturnType<typeof measure> =>
    measure(old, limit, ports.now())
  if (limit.readonly) {
    const stored = asRecord(ports.hints.get('ratelimit', limit.key))
    const result = measured(stored)
    for (const line of result.debug) debug?.('acl', line)
    return decide(context, limit, result.rate)
  }
  let rate = 0
  return after(
    ports.hints.update<RateRecord>('ratelimit', limit.key, (old) => {
      const result = measured(asRecord(old))
      for (const line of result.debug) debug?.('acl', line)
      rate = result.rate
      return result.keep
    }),
    () => {
      memory?.set(`ratelimit ${limit.key}`, rate)
      return decide(context, limit, rate)
    },
  )
}

/** Two of a half: 2.5 is shown as 2, as printf does. */
function roundHalfEven(value: number): number {
  const down = Math.floor(value)
  return value - down === 0.5 ? down + (down % 2) : Math.round(value)
}

function decide(
  { debug, trace, variables }: Context,
  limit: RateLimit,
  rate: number,
  known: boolean = false,
): Tested {
  if (!known) debug?.('acl', `ratelimit computed rate ${rate.toFixed(1)}`)
  trace?.note(
    'variable',
    `the rate of ${limit.key}:`,
    `${rate.toFixed(1)} per ${formatInterval(limit.periodSeconds)}, the limit is ${limit.mostText}`,
  )
  variables.set('sender_rate', rate.toFixed(1))
  variables.set('sender_rate_limit', limit.mostText)
  variables.set('sender_rate_period', formatInterval(limit.periodSeconds))
  return rate < limit.most ? FALSE : TRUE
}

/** Where a rate that was measured once is remembered: it counts once a connection, message, recipient or command. */
function memoryFor(call: AclCall, limit: RateLimit): Map<string, unknown> | undefined {
  // A rate that is only looked up is that of the hints, unless this command has counted: observed of Exim 4.96.
  switch (limit.readonly ? 'per_cmd' : limit.per) {
    case 'per_conn':
      return call.context.connection?.extra
    case 'per_mail':
      return call.context.message?.extra
    default:
      return call.memory
  }
}

function asRecord(value: unknown): RateRecord | undefined {
  if (typeof value !== 'object' || value === null || !('rate' in value) || !('at' in value)) return undefined
  // Written by `measure` and by nobody else.
  return value as RateRecord
}
