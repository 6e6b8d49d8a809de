/** `postern start`: the daemon in the foreground, with a configuration that works at once. */
import { mkdirSync, chownSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createAccounts } from '../../../base/accounts.ts'
import { renderDiagnostic } from '../../../base/diagnostic-frame.ts'
import { systemReason } from '../../../base/system-error.ts'
import { encodeUtf8 } from '../../../base/text.ts'
import { loadConfiguration, type ConfigurationRequest } from '../../../server/configuration-file.ts'
import { runDaemon } from '../../../server/daemon.ts'
import { defaultConfiguration, defaultConfigurationName } from '../../../server/default-configuration.ts'
import { openServer } from '../../../server/open-server.ts'
import type { Server } from '../../../server/server.ts'
import type { ProcessState } from '../../../server/process-state.ts'
import { becomeUser } from '../../../server/privileged/become.ts'
import { runTimeUser } from '../../../server/run-time-user.ts'
import { callerOf } from '../caller.ts'
import { readWords } from '../read-words.ts'
import { takeDropped } from '../take-dropped.ts'
import type { Terminal } from '../terminal.ts'

export const usage = `usage: postern start [--port N] [--address IP] [--data DIR] [--config FILE] [--print-config]
`

interface StartOptions {
  readonly port: number
  readonly address: string
  readonly data: string
  readonly config: string | undefined
  readonly print: boolean
}

export async function run(
  words: readonly string[],
  terminal: Terminal,
  state: ProcessState,
): Promise<number> {
  const options = readOptions(words)
  if (typeof options === 'string') {
    terminal.err(`postern start: ${options}\n${usage}`)
    return 1
  }
  const complain = (message: string): number => {
    terminal.err(`postern start: ${message}\n`)
    return 1
  }
  const accounts = createAccounts()
  const caller = callerOf(accounts)
  const found = runTimeUser(undefined, undefined, accounts)
  if (found.is === 'wrong') return complain(found.message)
  const { user } = found
  const text = defaultConfiguration({ ...options, uid: user.uid, gid: user.gid, starter: caller.login })
  if (options.print) {
    terminal.out(encodeUtf8(text))
    return 0
  }
  const request: ConfigurationRequest =
    options.config === undefined
      ? { embedded: { name: defaultConfigurationName, text } }
      : { files: [resolve(options.config)] }
  if (options.config === undefined) {
    const problem = prepareFolders(options.data, user)
    if (problem !== undefined) return complain(problem)
  }
  const loaded = await loadConfiguration(request)
  if (loaded.is === 'none') return complain(loaded.message)
  if (loaded.fatal.length > 0) {
    terminal.err(loaded.fatal.map((each) => `${encodeUtf8(renderDiagnostic(each))}\n`).join(''))
    return 1
  }
  const open = (configuration: typeof loaded.configuration, store?: Server['store']) =>
    openServer({
      configuration,
      programPath: process.argv[1] ?? 'postern',
      environment: process.env,
      accounts,
      brief: false,
      ...(store === undefined ? {} : { store }),
    })
  // Nothing is read from the network and no file is written as root.
  becomeUser(user.uid, user.gid, user.name)
  const opened = await open(loaded.configuration)
  if (opened.is === 'wrong') return complain(opened.message)
  const { server } = opened
  const result = await runDaemon(server, {
    listen: true,
    pidFile: server.pidFilePath,
    queueRuns: {
      everySeconds: 60,
      request: { force: false, thaw: false, firstOnly: false, localOnly: false, twoStage: false },
    },
    state,
    takeDropped,
    async reload() {
      const again = await loadConfiguration(request)
      if (again.is === 'none') return { is: 'kept', why: again.message }
      const [first] = again.fatal
      if (first !== undefined) return { is: 'kept', why: first.message }
      const next = await open(again.configuration, server.store)
      return next.is === 'wrong' ? { is: 'kept', why: next.message } : { is: 'server', server: next.server }
    },
    onStarted(addresses) {
      const [at] = addresses
      if (at !== undefined) terminal.out(encodeUtf8(greeting(at, options, server, caller.login, user.name)))
    },
  })
  return result.is === 'failed' ? complain(result.message) : 0
}

function greeting(
  at: { readonly address: string; readonly port: number },
  { data, config }: StartOptions,
  server: Server,
  login: string,
  user: string,
): string {
  const [log = ''] = server.logPaths
  const mail =
    config === undefined ? `  Mail for USER is delivered into ${join(data, 'mail')}/USER (Maildir)\n` : ''
  return `Postern ${server.facts.posternVersion} listens on ${at.address}:${at.port}, running as ${user}.
${mail}  Logs are written to ${log.replace('%slog', 'mainlog').replace('%s', 'main')}
  The queue is in ${server.facts.spoolDirectory}
Try it from another terminal:
  swaks --server ${at.address}:${at.port} --to ${login}@localhost
or without swaks:
  printf 'HELO me\\r\\nMAIL FROM:<me@localhost>\\r\\nRCPT TO:<${login}@localhost>\\r\\nDATA\\r\\nSubject: hello\\r\\n\\r\\nhello\\r\\n.\\r\\nQUIT\\r\\n' | nc ${at.address} ${at.port}
Ctrl-C ends it.
`
}

function readOptions(words: readonly string[]): StartOptions | string {
  const read = readWords({
    args: [...words],
    options: {
      port: { type: 'string', default: '2525' },
      address: { type: 'string', default: '127.0.0.1' },
      data: { type: 'string', default: 'postern-data' },
      config: { type: 'string' },
      'print-config': { type: 'boolean', default: false },
    },
  })
  if ('wrong' in read) return read.wrong
  const { values } = read
  const port = Number(values.port)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) return `"${values.port}" is not a port`
  const { address, config } = values
  return { port, address, data: resolve(values.data), config, print: values['print-config'] }
}

/** Makes the data folder and gives it to the user everything runs as. */
function prepareFolders(
  data: string,
  user: { readonly uid: number; readonly gid: number },
): string | undefined {
  try {
    for (const folder of [data, ...['spool', 'spool-drop', 'logs', 'mail'].map((name) => join(data, name))]) {
      mkdirSync(folder, { recursive: true, mode: 0o755 })
      if (process.getuid?.() === 0) chownSync(folder, user.uid, user.gid)
    }
    return undefined
  } catch (error) {
    return `cannot make the data folder ${data}: ${systemReason(error)}`
  }
}
