/** `postern reload`: the running daemon takes up a changed configuration, or a new version of this program. */
import { systemReason } from '../../../base/system-error.ts'
import { encodeUtf8 } from '../../../base/text.ts'
import { readPidFile } from '../../../server/pid-file.ts'
import { followLog } from '../../../server/follow-log.ts'
import type { ProcessState } from '../../../server/process-state.ts'
import { posternVersion } from '../../../server/version.ts'
import { parseCommandLine } from '../parse.ts'
import { waiting } from '../progress.ts'
import { readWords } from '../read-words.ts'
import type { Terminal } from '../terminal.ts'

export const usage = `usage: postern reload [-C FILE] [--pid-file FILE] [--binary] [--timeout SECONDS]
`
const taken = / daemon started: pid=(\d+)/
const kept = /the configuration in force is kept: (.*)/

/** Exit code 0: new workers serve; 1: the old ones go on, or there is no daemon; 2: the call was wrong. */
export async function run(
  words: readonly string[],
  terminal: Terminal,
  state: ProcessState,
): Promise<number> {
  const options = readOptions(words)
  if (typeof options === 'string') {
    terminal.err(encodeUtf8(`postern reload: ${options}\n${usage}`))
    return 2
  }
  const complain = (why: string): number => {
    terminal.err(encodeUtf8(`postern reload: ${why}\n`))
    return 1
  }
  // Reading the configuration with this very program tells of its mistakes before anything is asked of the daemon.
  const { prepareServer } = await import('../prepare-server.ts')
  const parsed = parseCommandLine('postern', [
    ...(options.config === undefined ? [] : ['-C', options.config]),
    '-bV',
  ])
  if (parsed.is === 'refused') return complain(parsed.message)
  const prepared = await prepareServer(parsed.invocation, terminal, process.argv[1] ?? 'postern', state)
  if (prepared.is === 'ended') return complain('the daemon was asked nothing, it goes on as it was')
  const { server, rights } = prepared.call
  try {
    if (!rights.admin) return complain('permission denied')
    const pidFile = options.pidFile ?? server.pidFilePath
    const pid = readPidFile(pidFile)
    if (pid === undefined) return complain(`${pidFile} tells of no daemon`)
    const log = followLog(server.logPaths, {
      utc: server.settings.timezone?.toUpperCase() === 'UTC',
      now: Date.now,
    })
    try {
      process.kill(pid, 'SIGHUP')
    } catch (error) {
      log?.close()
      return complain(`process ${pid} of ${pidFile}: ${systemReason(error)}`)
    }
    const what = options.binary ? `workers of version ${posternVersion}` : 'new workers'
    if (log === undefined) {
      terminal.out(
        encodeUtf8(`asked process ${pid} for ${what}; the log, which is no file, tells what became of it\n`),
      )
      return 0
    }
    const shown = waiting(terminal, `waiting for ${what}`)
    const line = await log
      .until((text) => kept.exec(text)?.[1] ?? (pidOf(text) === pid ? '' : undefined), options.timeoutMs)
      .finally(() => shown.end())
    if (line === undefined)
      return complain(`process ${pid} has not answered within ${options.timeoutMs / 1000} seconds`)
    if (line !== '') return complain(`the old workers go on: ${line}`)
    terminal.out(encodeUtf8(`${what} serve; open sessions go on with the old ones until they end\n`))
    return 0
  } finally {
    await server.close()
  }
}

function pidOf(line: string): number | undefined {
  const found = taken.exec(line)?.[1]
  return found === undefined ? undefined : Number(found)
}

interface Options {
  readonly config: string | undefined
  readonly pidFile: string | undefined
  readonly binary: boolean
  readonly timeoutMs: number
}

function readOptions(words: readonly string[]): Options | string {
  const read = readWords({
    args: [...words],
    options: {
      config: { type: 'string', short: 'C' },
      'pid-file': { type: 'string' },
      binary: { type: 'boolean', default: false },
      timeout: { type: 'string', default: '70' },
    },
  })
  if ('wrong' in read) return read.wrong
  const { values } = read
  const seconds = Number(values.timeout)
  if (!(seconds > 0 && seconds <= 600)) return `--timeout ${values.timeout}: a number of seconds, 600 at most`
  return {
    config: values.config,
    pidFile: values['pid-file'],
    binary: values.binary,
    timeoutMs: seconds * 1000,
  }
}
