/** As whom a message would authenticate: messages share a connection only when a server would take them for the same. */
import { type Expandable, expandedTexts } from '../../../base/expandable.ts'
import { Failure } from '../../../base/outcome.ts'
import { textOf } from '../../../base/text.ts'
import type { Context } from '../../../ports.ts'
import { hostListed } from '../expanding.ts'
import type { PooledConnection } from '../pool.ts'
import { connectedContext } from './smtp-connected.ts'
import type { Place } from './smtp-hosts.ts'
import type { SmtpSettings } from './smtp.options.ts'

/** All that authentication at this server depends on, as this message has it; empty: on nothing of the message. */
export async function identityAt(
  connection: PooledConnection,
  place: Place,
  settings: SmtpSettings,
  context: Context,
): Promise<string> {
  const lists = [settings.hosts_require_auth, settings.hosts_try_auth]
  if (lists.every((list) => list === undefined) || connection.offers.auth.length === 0) return ''
  // Passwords are for no explanation.
  const own = { ...connectedContext(context, place, connection), trace: undefined, captures: [] }
  const found: string[] = []
  for (const list of lists.filter((each) => each !== undefined && depends(each)))
    found.push(String(await hostListed(list, place, own)))
  for (const { settings: options } of context.server.configuration.authenticators)
    for (const [name, value] of Object.entries(options))
      if (name.startsWith('client_'))
        for (const text of expandedTexts(value)) if (depends(text)) found.push(await valueOf(text, own))
  return found.join('\0')
}

function depends({ text }: Expandable): boolean {
  return text.includes('$')
}

async function valueOf(text: Expandable, context: Context): Promise<string> {
  const value = await context.ports.expand(text, context)
  return value instanceof Failure ? `(${value.kind})` : textOf(value)
}
