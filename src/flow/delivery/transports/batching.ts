/** Batching in local transports. Source: Exim manual, "Address batching in local transports". */
import type { Expandable } from '../../../base/expandable.ts'
import { isFailure } from '../../../base/outcome.ts'
import type { Context } from '../../../ports.ts'
import type { RoutedAddress } from '../../routed.ts'
import { expandedBytes } from '../expanding.ts'
import type { BatchLimits } from '../group.ts'

/** Files, pipes and replies made by a redirection are delivered one by one. */
export async function batchLimits(
  routed: RoutedAddress,
  context: Context,
  most: number,
  id: Expandable | undefined,
): Promise<BatchLimits> {
  if (most <= 1 || routed.special !== undefined) return { most: 1, multiDomain: true }
  const value = await expandedBytes(id, context)
  if (isFailure(value)) return { most: 1, multiDomain: true }
  return { most, multiDomain: true, identity: () => value ?? '' }
}
