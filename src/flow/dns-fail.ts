/** Tells that a look-up which routing or delivery needs has failed: event dns:fail. */
import { taint, type ByteString } from '../base/text.ts'
import type { Context } from '../ports.ts'

export async function raiseDnsFail(
  reason: 'nxdomain' | 'again',
  name: ByteString,
  type: 'MX' | 'SRV' | 'A',
  context: Context,
): Promise<void> {
  const data = `${reason}:${name.replaceAll(':', '::')}:${type}`
  await context.ports.raise('dns:fail', taint(data, '$event_data'), context)
}
