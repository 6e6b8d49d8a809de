/** For commands of our own that work on the queue or the hints of a configuration: reads it, lowers root's power. */
import { ProcessState } from '../../server/process-state.ts'
import type { Server } from '../../server/server.ts'
import { parseCommandLine } from './parse.ts'
import type { Terminal } from './terminal.ts'

/** @param config the file of -C; undefined: the usual one */
export async function withServer(
  config: string | undefined,
  calledAs: string,
  terminal: Terminal,
  use: (server: Server) => Promise<number>,
): Promise<number> {
  const parsed = parseCommandLine('postern', [...(config === undefined ? [] : ['-C', config]), '-bpc'])
  if (parsed.is === 'refused') return 1
  const { prepareServer } = await import('./prepare-server.ts')
  const prepared = await prepareServer(
    parsed.invocation,
    terminal,
    process.argv[1] ?? 'postern',
    new ProcessState(),
  )
  if (prepared.is === 'ended') return prepared.exitCode
  const { server } = prepared.call
  const { lowerPrivilege } = await import('../../server/privileged/helper.ts')
  const lowered = await lowerPrivilege(server, { helper: false, writing: true })
  if ('wrong' in lowered) {
    terminal.err(`${calledAs}: ${lowered.wrong}\n`)
    return 1
  }
  try {
    return await use(server)
  } finally {
    await server.close()
  }
}
