/** For commands of our own that work on the queue or the hints of a configuration: reads it, lowers root's power. A door: it looks at a folder. */
import { statSync } from 'node:fs'
import { ProcessState } from '../../server/process-state.ts'
import type { Server } from '../../server/server.ts'
import { parseCommandLine } from './parse.ts'
import type { ServerCall } from './call.ts'
import type { Terminal } from './terminal.ts'

/**
 * @param options `config`: the file of -C; undefined: the usual one. `defines`: macros, `NAME=VALUE`. `reads`: a folder of another mail system, whose
 * group's rights are kept when root's are given up. `delivers`: messages are made, whose deliveries may need other uids;
 * `asks`: flags that do the same, so that only those who may use them may do it
 */
export async function withServer(
  options: {
    readonly config: string | undefined
    readonly defines?: readonly string[]
    readonly reads?: string | undefined
    readonly delivers?: boolean
    readonly asks?: readonly string[]
  },
  calledAs: string,
  terminal: Terminal,
  use: (server: Server, call: ServerCall) => Promise<number>,
): Promise<number> {
  const { config, defines = [], reads, delivers = false, asks = ['-bpc'] } = options
  const parsed = parseCommandLine('postern', [
    ...(config === undefined ? [] : ['-C', config]),
    ...defines.map((each) => `-D${each}`),
    ...asks,
  ])
  if (parsed.is === 'refused') return 1
  const { prepareServer } = await import('./prepare-server.ts')
  const prepared = await prepareServer(
    parsed.invocation,
    inNameOf(calledAs, terminal),
    process.argv[1] ?? 'postern',
    new ProcessState(),
  )
  if (prepared.is === 'ended') return prepared.exitCode
  const { server } = prepared.call
  const { lowerPrivilege } = await import('../../server/privileged/helper.ts')
  const gid = reads === undefined ? undefined : groupOf(reads)
  const groups = gid === undefined ? [] : [gid]
  const lowered = await lowerPrivilege(server, { helper: delivers, writing: true, groups })
  if ('wrong' in lowered) {
    terminal.err(`${calledAs}: ${lowered.wrong}\n`)
    return 1
  }
  try {
    // Without this what is put into the hints is lost with the process.
    await server.store.openHints()
    return await use(server, { ...prepared.call, invocation: parsed.invocation, terminal })
  } finally {
    await server.close()
    lowered.end()
  }
}

/** Said to who is no admin user. */
export const notAdmin =
  'permission denied: this is for root, the run-time user and the members of admin_groups'

/** What is wrong with a configuration is told by the command, not as a line of a log. */
function inNameOf(calledAs: string, terminal: Terminal): Terminal {
  const err = (text: string): void =>
    terminal.err(
      text
        .replace(/^(?:\d{4}(?:-\d\d){2} (?:\d\d:?){3}|postern:) /, `${calledAs}: `)
        .replace(/permission denied\n$/, `${notAdmin}\n`),
    )
  return Object.assign(Object.create(terminal) as Terminal, { err })
}

function groupOf(folder: string): number | undefined {
  return statSync(folder, { throwIfNoEntry: false })?.gid
}
