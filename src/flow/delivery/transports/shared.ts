/** What all transports do alike. */
import { Failure } from '../../../base/outcome.ts'
import type { Context } from '../../../ports.ts'
import type { RoutedAddress } from '../../routed.ts'
import { expandedBytes, expandedInteger } from '../expanding.ts'
import { type AddressOutcome, errorNumbers, type HostOutcome, type TransportResult } from '../results.ts'
import type { Batch } from './driver.ts'

/** One outcome for all addresses. */
export function refuseAll(
  addresses: readonly RoutedAddress[],
  outcome: AddressOutcome,
  deliveryMs: number,
  hosts: readonly HostOutcome[] = [],
): TransportResult {
  return { addresses: addresses.map((routed) => ({ routed, outcome, deliveryMs })), hosts }
}

/** A fault of ours in a transport: what it concerns waits, and the panic log tells. */
export function internalFault(
  error: unknown,
  { transport }: Pick<Batch, 'transport'>,
  context: Context,
  id: string,
): AddressOutcome {
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error)
  context.ports.log.panic(
    id,
    `${transport.name} transport: internal error: ${what.replaceAll(/\s*\n\s*/g, ' ')}`,
  )
  const message = `internal error in ${transport.name} transport`
  return { is: 'deferred', error: { errno: errorNumbers.unknown, more: 0, message } }
}

/** `debug_print`: a line of the configuration's own in the debugging output. */
async function debugPrint(batch: Batch, context: Context): Promise<void> {
  const option = batch.transport.settings.debug_print
  if (option === undefined || context.debug === undefined) return
  const value = await expandedBytes(option, context)
  if (typeof value === 'string') context.debug('any|v', value)
}

/** What stops a batch before the transport begins: the message is too big for it. */
export async function sharedOutcome(batch: Batch, context: Context): Promise<AddressOutcome | undefined> {
  await debugPrint(batch, context)
  const value = await expandedInteger(batch.transport.settings.message_size_limit, context, 0)
  const limit =
    typeof value === 'number' && value < 0
      ? new Failure('failure', `non-negative integer expected but "${value}" found`)
      : value
  if (limit instanceof Failure) {
    const what = /^(?:non-negative )?integer expected |^invalid integer /.test(limit.message)
      ? 'invalid'
      : 'failed to expand'
    return {
      is: 'deferred',
      error: {
        errno: errorNumbers.unknown,
        more: 0,
        message: `${what} message_size_limit in ${batch.transport.name} transport: ${limit.message}`,
      },
    }
  }
  const size = context.message?.size ?? 0
  if (limit <= 0 || size <= limit) return undefined
  return {
    is: 'failed',
    error: {
      errno: errorNumbers.unknown,
      more: 0,
      message: `message is too big (transport limit = ${limit})`,
    },
  }
}
