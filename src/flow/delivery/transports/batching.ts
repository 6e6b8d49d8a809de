/**
 * Batching in local transports. Source: Exim manual, "Address batching in local transports", and Exim 4.96: only options of the
 * driver itself count, any variable whose name begins with `local_part` or `domain` does, and addresses of one local part share
 * a delivery whatever is mentioned.
 */
import { Expandable } from '../../../base/expandable.ts'
import { isFailure } from '../../../base/outcome.ts'
import type { TransportInstance } from '../../../language/config/configuration.ts'
import { transportOptions } from '../../../language/config/options/transport.ts'
import type { Context } from '../../../ports.ts'
import type { RoutedAddress } from '../../routed.ts'
import { expandedBytes } from '../expanding.ts'
import type { BatchLimits } from '../group.ts'

export async function batchLimits(
  routed: RoutedAddress,
  context: Context,
  most: number,
  id: Expandable | undefined,
): Promise<BatchLimits> {
  const { mentionsLocalPart, mentionsDomain } = mentionsOf(routed.transport)
  if (most <= 1 || routed.special === 'reply' || routed.scope !== undefined)
    return { most: 1, multiDomain: true }
  const value = await expandedBytes(id, context)
  if (isFailure(value)) {
    const told = `Failed to expand batch_id option in ${routed.transport.name} transport (${routed.address}): ${value.message}`
    context.ports.log.panic(context.message?.id, told)
    return { most: 1, multiDomain: true }
  }
  // Of redirections, only those to the same file or command go together.
  const place = routed.special === undefined ? '' : routed.address
  const localPart = mentionsLocalPart ? routed.facts.localPart : ''
  return { most, multiDomain: !mentionsDomain, identity: () => `${value ?? ''}\0${place}\0${localPart}` }
}

interface Mentions {
  readonly mentionsLocalPart: boolean
  readonly mentionsDomain: boolean
}

const known = new WeakMap<TransportInstance, Mentions>()

/** What all addresses of a batch must then share. */
function mentionsOf(transport: TransportInstance): Mentions {
  const before = known.get(transport)
  if (before !== undefined) return before
  const own = [...transport.setAt.keys()].filter((name) => !Object.hasOwn(transportOptions, name))
  const set = own.map((name): unknown => Reflect.get(transport.settings, name))
  const texts = set.flatMap((value) =>
    (Array.isArray(value) ? value : [value]).flatMap((one: unknown) =>
      one instanceof Expandable ? [one.text] : typeof one === 'string' ? [one] : [],
    ),
  )
  const mentions = {
    mentionsLocalPart: texts.some((text) => /\$\{?local_part/.test(text)),
    mentionsDomain: texts.some((text) => /\$\{?domain/.test(text)),
  }
  known.set(transport, mentions)
  return mentions
}
