/**
 * The command line's main program: finds out what is asked, reads the configuration where that is needed, and runs
 * one mode or command. Nobody ever sees a stack trace: what goes wrong unexpectedly is one sentence, and a line in
 * the panic log.
 */
import { basename } from 'node:path'
import { nearest } from '../../base/diagnostic.ts'
import { encodeUtf8 } from '../../base/text.ts'
import { commands, namedPrograms } from './commands/index.ts'
import { modes } from './modes/index.ts'
import { flagsByName, has, type Invocation, parseCommandLine } from './parse.ts'
import { SpoolError } from '../../store/spool/api.ts'
import type { EarlyWorker } from '../../server/privileged/fork-worker.ts'
import type { Lowered } from '../../server/privileged/helper.ts'
import type { Server } from '../../server/server.ts'
import { giveUpPrivilege, refuseWhenPrivileged } from './privilege.ts'
import { ProcessState } from '../../server/process-state.ts'
import { asksForHelp } from './read-words.ts'
import { processTerminal, type Terminal } from './terminal.ts'

export interface MainOptions {
  /** Path under which the program was called. */
  readonly path: string
  /** The file behind that path. */
  readonly file?: string
  readonly words: readonly string[]
  /** A listener of SIGUSR1 that the real one replaces. */
  readonly earlySignal?: () => void
}

export async function main(options: MainOptions): Promise<void> {
  const state = new ProcessState()
  process.on('SIGUSR1', () => state.report())
  if (options.earlySignal !== undefined) process.off('SIGUSR1', options.earlySignal)
  const terminal = processTerminal()
  const calledAs = basename(options.path).replace(/\.[cm]?js$/, '')
  process.on('uncaughtException', (error) => {
    unexpected(terminal, calledAs, error)
    process.exit(1)
  })
  try {
    process.exitCode = await run({ ...options, calledAs, terminal, state })
  } catch (error) {
    unexpected(terminal, calledAs, error)
    process.exitCode = 1
  }
  // Nothing that was left open by a fault may keep a call from ending.
  setTimeout(() => process.exit(), lingerMs).unref()
}

const lingerMs = 5000

interface Run extends MainOptions {
  readonly calledAs: string
  readonly terminal: Terminal
  readonly state: ProcessState
}

async function run({ path, file = path, words: given, calledAs, terminal, state }: Run): Promise<number> {
  const forbidden = refuseWhenPrivileged()
  if (forbidden !== undefined) {
    // What Node does at the end, it does with the caller's own rights.
    giveUpPrivilege()
    terminal.err(`${calledAs}: ${forbidden}\n`)
    return 1
  }
  const words = calledAs === 'postern' && given[0] === 'help' ? [...given.slice(1, 2), '--help'] : given
  const first = words[0] ?? ''
  const program = namedPrograms.includes(calledAs) ? calledAs : undefined
  const command =
    program ?? (calledAs === 'postern' && first !== '' && !first.startsWith('-') ? first : undefined)
  if (command !== undefined) {
    const row = commands[command]
    if (row === undefined) {
      const near = nearest(command, Object.keys(commands))
      const rest = near === undefined ? '"postern --help" lists them' : `did you mean "${near}"?`
      terminal.err(`postern: there is no command "${command}"; ${rest}\n`)
      return 1
    }
    const chosen = await row.load()
    // Exim's programs have flags of their own: `exiqgrep -f -h`.
    if (program === undefined ? asksForHelp(words.slice(1)) : words.length === 1 && asksForHelp(words)) {
      terminal.out(encodeUtf8(chosen.usage))
      return 0
    }
    return chosen.run(program === undefined ? words.slice(1) : words, terminal, state)
  }
  const parsed = parseCommandLine(calledAs, words)
  if (parsed.is === 'refused') {
    terminal.err(`${parsed.message}\n`)
    return 1
  }
  const { invocation } = parsed
  const mode = modes[invocation.mode]
  if (mode.needs === 'nothing') {
    const chosen = await mode.load()
    return chosen.run(invocation, terminal)
  }
  const early = await startEarly(invocation)
  const { prepareServer } = await import('./prepare-server.ts')
  // A name that stands for flags would bring them into calls of ourselves, and into $exim_path.
  const programPath = Object.hasOwn(flagsByName, calledAs) ? file : path
  const prepared = await prepareServer(invocation, terminal, programPath, state)
  if (prepared.is === 'ended') {
    early?.child.kill('SIGKILL')
    return prepared.exitCode
  }
  const { server } = prepared.call
  const lowered = mode.as === 'itself' ? undefined : await lower(server, invocation, mode.as)
  if (lowered !== undefined && 'wrong' in lowered) {
    terminal.err(`${calledAs}: ${lowered.wrong}\n`)
    return 1
  }
  const chosen = await mode.load()
  try {
    return await chosen.run({
      invocation,
      terminal,
      early,
      deliverInBackground: lowered?.deliverInBackground,
      ...prepared.call,
    })
  } finally {
    // A daemon has used it, and it has ended; nothing else waits for it.
    early?.child.kill('SIGKILL')
    await closeAll(server, lowered)
  }
}

/** The first worker of a daemon in the foreground, which reads the configuration while this process does. */
async function startEarly(invocation: Invocation): Promise<EarlyWorker | undefined> {
  if (invocation.mode !== 'daemon' || process.env['POSTERN_WORKER'] !== undefined) return undefined
  const foreground = has(invocation, '-bdf') || process.env['POSTERN_IN_BACKGROUND'] === '1'
  // What is shown of the start is to be in order; and a borrowed right may have to be given up first.
  if (!foreground || has(invocation, '-d', '-dd', '-v', '-ov')) return undefined
  if (process.getuid?.() !== process.geteuid?.()) return undefined
  const { forkEarly } = await import('../../server/privileged/fork-worker.ts')
  return forkEarly()
}

/** Deliveries that are under way still need the helper. */
async function closeAll(server: Server, lowered: Lowered | undefined): Promise<void> {
  try {
    await server.close()
  } finally {
    lowered?.end()
  }
}

/** Root's power is needed to read the configuration, and for deliveries under other uids; not for the rest. */
async function lower(
  server: Server,
  invocation: Invocation,
  as: 'run-time user' | 'delivering' | 'routing',
): Promise<Lowered | { readonly wrong: string } | undefined> {
  if (process.geteuid?.() !== 0) return undefined
  const writing = as === 'delivering'
  const helper = writing || (as === 'routing' && looksAtFiles(server))
  const { lowerPrivilege } = await import('../../server/privileged/helper.ts')
  const { sameProgram } = await import('./queueing.ts')
  return lowerPrivilege(server, { helper, writing }, writing ? sameProgram(invocation, server) : [])
}

/** Routers that may want to see files with the rights of their user. */
function looksAtFiles({ configuration }: Server): boolean {
  return configuration.routers.some(
    ({ driver, settings }) => driver === 'redirect' || settings.require_files !== undefined,
  )
}

function unexpected(terminal: Terminal, calledAs: string, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error)
  // What the disk and the system refuse is no bug.
  const noMemory =
    error instanceof RangeError && 'code' in error && error.code === 'ERR_MEMORY_ALLOCATION_FAILED'
  const told = noMemory
    ? 'the system gives this process no more memory (ulimit -v, LimitAS)'
    : `${error instanceof SpoolError ? '' : 'unexpected error: '}${message}`
  terminal.err(`${calledAs}: ${told}\n`)
  if (process.env['POSTERN_DEBUG'] === '1' && error instanceof Error) terminal.err(`${error.stack ?? ''}\n`)
}
