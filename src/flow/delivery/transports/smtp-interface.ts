/** `interface`: which of our addresses a connection leaves by. Source: Exim manual, "The smtp transport". */
import type { Expandable } from '../../../base/expandable.ts'
import { parseIp } from '../../../base/ip.ts'
import { Failure } from '../../../base/outcome.ts'
import { textOf } from '../../../base/text.ts'
import type { Context } from '../../../ports.ts'
import { expanded } from '../expanding.ts'
import type { Place } from './smtp-hosts.ts'

/**
 * The first of the list that is of the same kind as the host's, IPv4 or IPv6; undefined leaves it to the system.
 * @param context knows the host
 */
export async function interfaceFor(
  place: Place,
  option: Expandable | undefined,
  transportName: string,
  context: Context,
): Promise<string | undefined | Failure> {
  if (option === undefined) return undefined
  const value = await expanded(option, context)
  if (value instanceof Failure) {
    if (value.kind === 'forced') return undefined
    return new Failure(
      'failure',
      `failed to expand "interface" option for ${transportName} transport: ${value.message}`,
    )
  }
  if (value === undefined || textOf(value).trim() === '') return undefined
  const version = parseIp(place.address)?.version
  for (const item of context.ports.splitList(value)) {
    const text = textOf(item)
    const address = parseIp(text)
    if (address === undefined) {
      return new Failure(
        'failure',
        `"${text}" is not a valid IP address for the "interface" option for ${transportName} transport`,
      )
    }
    if (address.version === version) return text
  }
  return undefined
}
