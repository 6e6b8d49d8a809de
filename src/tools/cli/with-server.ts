/** For commands of our own that work on the queue or the hints of a configuration: reads it, lowers root's power. A door: it looks at a folder. */
import { statSync } from 'node:fs'
import { ProcessState } from '../../server/process-state.ts'
import type { Server } from '../../server/server.ts'
import { parseCommandLine } from './parse.ts'
import type { Terminal } from './terminal.ts'

/**
 * @param options `config`: the file of -C; undefined: the usual one. `reads`: a folder of another mail system, whose
 * group's rights are kept when root's are given up
 */
export async function withServer(
  { config, reads }: { readonly config: string | undefined; readonly reads?: string | undefined },
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
  const gid = reads === undefined ? undefined : groupOf(reads)
  const groups = gid === undefined ? [] : [gid]
  const lowered = await lowerPrivilege(server, { helper: false, writing: true, groups })
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

function groupOf(folder: string): number | undefined {
  return statSync(folder, { throwIfNoEntry: false })?.gid
}
