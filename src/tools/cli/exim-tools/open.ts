/** A server of the configuration that `-C` names, for the programs that come with Exim. */
import { ProcessState } from '../../../server/process-state.ts'
import type { Server } from '../../../server/server.ts'
import { parseCommandLine } from '../parse.ts'
import { prepareServer } from '../prepare-server.ts'
import type { Terminal } from '../terminal.ts'

/** @param flags `-C FILE`, `-DNAME=VALUE`; undefined after a message */
export async function openForTool(flags: readonly string[], terminal: Terminal): Promise<Server | undefined> {
  const parsed = parseCommandLine('postern', [...flags, '-bpc'])
  if (parsed.is === 'refused') {
    terminal.err(`${parsed.message}\n`)
    return undefined
  }
  const program = process.argv[1] ?? 'postern'
  const prepared = await prepareServer(parsed.invocation, terminal, program, new ProcessState())
  return prepared.is === 'ended' ? undefined : prepared.call.server
}
