/** `postern spool export|import DIR`: between our spool and Exim's files. */
import { parseArgs } from 'node:util'
import { ProcessState } from '../../../server/process-state.ts'
import type { Terminal } from '../terminal.ts'
import { parseCommandLine } from '../parse.ts'

const usage = `usage: postern spool export DIR [-C FILE]      writes the queue as Exim's -H and -D files
       postern spool import DIR [--remove] [-C FILE]   takes the messages of an Exim spool over
`

export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  const options = readOptions(words)
  if (options === undefined) {
    terminal.err(usage)
    return 1
  }
  const { prepareServer } = await import('../prepare-server.ts')
  const flags = options.config === undefined ? [] : ['-C', options.config]
  const parsed = parseCommandLine('postern', [...flags, '-bpc'])
  if (parsed.is === 'refused') return 1
  const prepared = await prepareServer(
    parsed.invocation,
    terminal,
    process.argv[1] ?? 'postern',
    new ProcessState(),
  )
  if (prepared.is === 'ended') return prepared.exitCode
  const { server } = prepared.call
  const { lowerPrivilege } = await import('../../../server/privileged/helper.ts')
  const lowered = await lowerPrivilege(server, { helper: false, writing: true })
  if ('wrong' in lowered) {
    terminal.err(`postern spool: ${lowered.wrong}\n`)
    return 1
  }
  try {
    const { exportSpool, importSpool } = await import('../../../store/spool/exim-format.ts')
    const spool = await server.spool('write')
    const result =
      options.action === 'export'
        ? await exportSpool(spool, options.directory)
        : await importSpool(spool, options.directory, { remove: options.remove })
    for (const { what, why } of result.problems) terminal.err(`${what}: ${why}\n`)
    const done = options.action === 'export' ? 'written' : 'taken over'
    terminal.out(`${result.messages} message${result.messages === 1 ? '' : 's'} ${done}\n`)
    return result.problems.length === 0 ? 0 : 1
  } finally {
    await server.close()
  }
}

interface SpoolOptions {
  readonly action: 'export' | 'import'
  readonly directory: string
  readonly remove: boolean
  readonly config: string | undefined
}

function readOptions(words: readonly string[]): SpoolOptions | undefined {
  try {
    const { values, positionals } = parseArgs({
      args: [...words],
      allowPositionals: true,
      options: { config: { type: 'string', short: 'C' }, remove: { type: 'boolean', default: false } },
    })
    const [action, directory] = positionals
    if ((action !== 'export' && action !== 'import') || directory === undefined || positionals.length > 2)
      return undefined
    return { action, directory, remove: values.remove, config: values.config }
  } catch {
    return undefined
  }
}
