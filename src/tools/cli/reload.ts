/** Reads the configuration anew for a running daemon (SIGHUP): all of it, or the old one stays in force. */
import type { Server } from '../../server/server.ts'
import { loadConfiguration } from '../../server/configuration-file.ts'
import { openServer } from '../../server/open-server.ts'
import type { ServerCall } from './call.ts'
import { configurationFiles, macrosOf } from './prepare-server.ts'

export type Reloaded =
  | { readonly is: 'server'; readonly server: Server }
  | { readonly is: 'kept'; readonly why: string }

export async function reloadFor({ invocation, server }: ServerCall): Promise<Reloaded> {
  const loaded = await loadConfiguration({
    files: configurationFiles(invocation),
    defines: macrosOf(invocation),
  })
  if (loaded.is === 'none') return { is: 'kept', why: loaded.message }
  const [first] = loaded.fatal
  if (first !== undefined) return { is: 'kept', why: first.message }
  const opened = await openServer({
    configuration: loaded.configuration,
    programPath: server.facts.eximPath,
    environment: process.env,
    accounts: server.accounts,
    store: server.store,
    brief: false,
  })
  return opened.is === 'wrong' ? { is: 'kept', why: opened.message } : { is: 'server', server: opened.server }
}
