/** `postern spool export|import DIR`: between our spool and Exim's files. */
import { encodeUtf8 } from '../../../base/text.ts'
import { progress } from '../progress.ts'
import { readWords } from '../read-words.ts'
import type { Terminal } from '../terminal.ts'
import { withServer } from '../with-server.ts'

export const usage = `usage: postern spool export DIR [-C FILE]      writes the queue as Exim's -H and -D files
       postern spool import DIR [--remove] [-C FILE]   takes the messages of an Exim spool over
`

export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  const options = readOptions(words)
  if (typeof options === 'string') {
    terminal.err(encodeUtf8(`postern spool: ${options}\n${usage}`))
    return 1
  }
  return withServer(
    { config: options.config, reads: options.directory },
    'postern spool',
    terminal,
    async (server) => {
      const { countEximMessages, exportSpool, importSpool } = await import(
        '../../../store/spool/exim-format.ts'
      )
      const spool = await server.spool('write')
      const exporting = options.action === 'export'
      const shown = progress(
        terminal,
        exporting ? 'messages written' : 'messages taken over',
        exporting ? spool.count() : countEximMessages(options.directory),
      )
      const result = exporting
        ? await exportSpool(spool, options.directory, shown.at)
        : await importSpool(spool, options.directory, { remove: options.remove, tell: shown.at })
      shown.end()
      for (const { what, why } of result.problems) terminal.err(`${what}: ${why}\n`)
      const done = exporting ? 'written' : 'taken over'
      terminal.out(`${result.messages} message${result.messages === 1 ? '' : 's'} ${done}\n`)
      return result.problems.length === 0 ? 0 : 1
    },
  )
}

interface SpoolOptions {
  readonly action: 'export' | 'import'
  readonly directory: string
  readonly remove: boolean
  readonly config: string | undefined
}

function readOptions(words: readonly string[]): SpoolOptions | string {
  const read = readWords({
    args: [...words],
    allowPositionals: true,
    options: { config: { type: 'string', short: 'C' }, remove: { type: 'boolean', default: false } },
  })
  if ('wrong' in read) return read.wrong
  const { values, positionals } = read
  const [action, directory] = positionals
  if ((action !== 'export' && action !== 'import') || directory === undefined || positionals.length > 2)
    return 'export DIR or import DIR'
  return { action, directory, remove: values.remove, config: values.config }
}
