/** `postern log ID`: follows one message through everything it left, whatever log file it is in. */
import { isMessageId } from '../../../base/message-id.ts'
import { encodeUtf8 } from '../../../base/text.ts'
import { stateOf } from '../../../store/spool/queue-state.ts'
import { type Followed, follow } from '../../watch/follow.ts'
import { findLogFiles, linesOf, sizeOfFile } from '../../watch/log-files.ts'
import type { ServerCall } from '../call.ts'
import { progress } from '../progress.ts'
import { readWords } from '../read-words.ts'
import type { Terminal } from '../terminal.ts'
import { withServer } from '../with-server.ts'

export const usage = `usage: postern log [--json] [--where] [-C FILE] MESSAGE-ID ...
  --json   an object a line, with the fields of log_format_json where there is one
  --where  before each line, the logs that hold it
`

export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  const options = readOptions(words)
  if ('wrong' in options) {
    terminal.err(encodeUtf8(`postern log: ${options.wrong}\n${usage}`))
    return 2
  }
  return withServer(
    { config: options.config, asks: ['-bp'] },
    'postern log',
    terminal,
    async (server, call) => {
      const files = findLogFiles(server.logPaths, server.settings.log_format_json)
      if (files.length === 0) {
        terminal.err(
          'postern log: there are no log files (log_file_path names none, or none was written yet)\n',
        )
        return 1
      }
      const shown = progress(
        terminal,
        'KB of logs read',
        Math.ceil(files.reduce((sum, { path }) => sum + sizeOfFile(path), 0) / 1024),
      )
      let before = 0
      const followed = await follow(options.ids, files, async function* (file) {
        yield* linesOf(file.path, (bytes) => shown.at(Math.floor((before + bytes) / 1024)))
        before += sizeOfFile(file.path)
      })
      shown.end()
      for (const problem of followed.unread) terminal.err(encodeUtf8(`postern log: ${problem}\n`))
      if (followed.cut) terminal.err('postern log: there are more lines than are shown\n')
      print(followed, options, terminal)
      const waiting = await printQueue(followed, options, call)
      if (followed.lines.length > 0 || waiting) return 0
      terminal.err(
        `postern log: nothing of ${options.ids.join(', ')} in ${files.length} log files, nor in the queue\n`,
      )
      return 1
    },
  )
}

function print({ lines }: Followed, options: Options, terminal: Terminal): void {
  for (const { kinds, text, more, fields } of lines) {
    if (options.json) {
      const utf8 = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('utf8')
      const object = {
        logs: kinds,
        line: utf8(text),
        ...(more.length === 0 ? {} : { detail: more.map(utf8) }),
        ...fields,
      }
      terminal.out(encodeUtf8(`${JSON.stringify(object)}\n`))
      continue
    }
    terminal.out(`${options.where ? `${kinds.join(',').padEnd(11)} ` : ''}${text}\n`)
    for (const line of more) terminal.out(`    ${line}\n`)
  }
}

/** What still waits; true when something does. */
async function printQueue(
  { ids }: Followed,
  options: Options,
  { server, terminal }: ServerCall,
): Promise<boolean> {
  const spool = await server.spool('read')
  let waiting = false
  for (const id of ids) {
    const entry = spool.entry(id)
    if (entry === undefined) continue
    waiting = true
    if (options.json) continue
    const left = entry.recipients.filter(({ done }) => !done).map(({ address }) => address)
    const next =
      entry.nextAttemptAt > server.ports.now() && !entry.frozen
        ? `, next attempt ${new Date(entry.nextAttemptAt).toISOString()}`
        : ''
    terminal.out(`in the queue: ${id} ${stateOf(entry)}, waiting for ${left.join(' ')}${next}\n`)
    const log = await spool.messageLog(id)
    if (log !== undefined && log !== '')
      terminal.out(`its own log:\n${log.replace(/\n$/, '').replaceAll(/^/gm, '    ')}\n`)
  }
  return waiting
}

interface Options {
  readonly ids: readonly string[]
  readonly json: boolean
  readonly where: boolean
  readonly config: string | undefined
}

function readOptions(words: readonly string[]): Options | { readonly wrong: string } {
  const read = readWords({
    args: [...words],
    allowPositionals: true,
    options: {
      config: { type: 'string', short: 'C' },
      json: { type: 'boolean', default: false },
      where: { type: 'boolean', default: false },
    },
  })
  if ('wrong' in read) return read
  const { values, positionals } = read
  const odd = positionals.find((word) => !isMessageId(word))
  if (odd !== undefined) return { wrong: `${odd} is no message id; exigrep finds other text` }
  if (positionals.length === 0) return { wrong: 'which message?' }
  return { ids: positionals, json: values.json, where: values.where, config: values.config }
}
