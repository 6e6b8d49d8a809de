/** Reads the option `transport_filter`. Source: Exim manual, "Generic options for transports". */
import type { Context } from '../../../ports.ts'
import { commandArguments } from '../../command-line.ts'
import type { TransportFilter } from '../local/transport-filter.ts'
import { type AddressOutcome, errorNumbers } from '../results.ts'
import type { Batch } from './driver.ts'

/** Undefined: none is wanted. */
export async function transportFilterOf(
  batch: Batch,
  context: Context,
  where: 'local' | 'remote' = 'local',
): Promise<TransportFilter | undefined | { readonly outcome: AddressOutcome }> {
  const { transport_filter: option, transport_filter_timeout: timeout } = batch.transport.settings
  if (option === undefined) return undefined
  const name = batch.transport.name
  const split = await commandArguments(
    {
      text: option.text,
      expand: true,
      addresses: batch.addresses.map((one) => one.address),
      by: where === 'local' ? 'transport filter' : `${name} transport filter`,
    },
    context,
  )
  if ('is' in split) {
    const error = { errno: where === 'local' ? errorNumbers.unknown : 0, more: 0, message: split.message }
    return { outcome: { is: split.is, error } }
  }
  const [command] = split.argv
  if (command === undefined || command === '') return undefined
  if (!command.startsWith('/')) {
    return refuse(`transport filter command "${command}" of ${name} transport is not an absolute path`)
  }
  return { argv: split.argv, timeoutMs: timeout * 1000 }
}

function refuse(message: string): { readonly outcome: AddressOutcome } {
  return { outcome: { is: 'deferred', error: { errno: errorNumbers.unknown, more: 0, message } } }
}
