/** What a local caller may set. Source: Exim manual, "Trusted and admin users", `untrusted_set_sender`. */
import type { ByteString } from '../../base/text.ts'
import type { ConnectionFacts, Context } from '../../ports.ts'

/** True when this sender may stand: from the network, by a trusted user, empty, or by `untrusted_set_sender`. */
export async function maySetSender(
  connection: ConnectionFacts,
  sender: ByteString,
  context: Context,
): Promise<boolean> {
  const caller = connection.caller
  if (caller === undefined || caller.trusted || sender === '') return true
  if (connection.hostAddress !== undefined && connection.kind === 'smtp') return true
  const list = context.settings.untrusted_set_sender
  if (list === undefined) return false
  const result = await context.ports.matchList('address', list, sender, context)
  return result.is === 'match'
}
