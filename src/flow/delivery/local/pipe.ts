/**
 * Runs a command with the message on its standard input; output and time are bounded.
 * Source: Exim manual, "The pipe transport".
 */
import { drained } from './drained.ts'
import { spawn } from 'node:child_process'
import { constants as fileModes } from 'node:fs'
import { access } from 'node:fs/promises'
import { constants } from 'node:os'
import type { ByteString } from '../../../base/text.ts'
import type { LocalJobCommon, LocalResult } from '../local-job.ts'
import { localContent } from './content.ts'
import { deferredByFile } from './file-error.ts'

export interface PipeJob {
  readonly kind: 'pipe'
  /** Command and arguments; the command is a path. */
  readonly argv: readonly ByteString[]
  readonly environment: Readonly<Record<string, ByteString>>
  readonly timeoutMs: number
  readonly maxOutputBytes: number
  readonly transportName: string
  /** As the configuration has it, for messages. */
  readonly commandText: ByteString
  readonly ignoreStatus: boolean
  /** Exit codes that mean try again; `*`: all. */
  readonly temporaryCodes: readonly string[]
  readonly timeoutDefer: boolean
  readonly freezeExecFail: boolean
  readonly freezeSignal: boolean
}

type Job = LocalJobCommon & PipeJob

/** How the command ended. */
type Ending =
  | { readonly is: 'exit'; readonly code: number }
  | { readonly is: 'signal'; readonly signal: NodeJS.Signals }
  | { readonly is: 'timeout' }
  | { readonly is: 'not started' }
  | { readonly is: 'no process'; readonly why: Error }

export async function deliverToPipe(job: Job, body: AsyncIterable<Uint8Array>): Promise<LocalResult> {
  const ran = (await executable(job)) ? await runCommand(job, body) : neverStarted
  const output = ran.output === '' ? {} : { output: ran.output }
  const told = (message: string, is: 'failed' | 'deferred', freeze: boolean = false): LocalResult => ({
    is,
    errno: 0,
    more: 0,
    message,
    bounceText: 'local delivery failed',
    freeze,
    ...output,
  })
  const { ending } = ran
  switch (ending.is) {
    case 'timeout':
      return told('pipe delivery process timed out', job.timeoutDefer ? 'deferred' : 'failed')
    case 'signal': {
      if (job.ignoreStatus && !job.freezeSignal) break
      const number = constants.signals[ending.signal]
      const message = `Child process of ${job.transportName} transport (running command "${job.commandText}") was terminated by signal ${number} (${signalNames[ending.signal] ?? ending.signal})`
      return told(message, job.freezeSignal ? 'deferred' : 'failed', job.freezeSignal)
    }
    case 'no process':
      return deferredByFile(ending.why, `Failed to create child process for ${job.transportName} transport`)
    case 'not started':
    case 'exit': {
      const code = ending.is === 'exit' ? ending.code : 127
      if (code === 0 || (job.ignoreStatus && code !== 127)) break
      const freeze = ending.is === 'not started' && job.freezeExecFail
      const temporary = job.temporaryCodes.includes('*') || job.temporaryCodes.includes(String(code))
      if (freeze) return told(`pipe process failed to exec "${job.argv[0] ?? ''}"`, 'deferred', true)
      return told(
        `Child process of ${job.transportName} transport returned ${code}${meaning(code)} from command: ${job.argv[0] ?? ''}`,
        temporary ? 'deferred' : 'failed',
      )
    }
  }
  return { is: 'done', sizeBytes: ran.sizeBytes, ...output }
}

const neverStarted: Ran = { ending: { is: 'not started' }, output: '', sizeBytes: 0 }

/** Looked at first, so that the shell below never speaks for itself. */
async function executable(job: Job): Promise<boolean> {
  return access(job.argv[0] ?? '', fileModes.X_OK).then(
    () => true,
    () => false,
  )
}

interface Ran {
  readonly ending: Ending
  readonly output: ByteString
  readonly sizeBytes: number
}

async function runCommand(job: Job, body: AsyncIterable<Uint8Array>): Promise<Ran> {
  // The shell sets the file creation mask and becomes the command: Node cannot set it for a child alone.
  const [command = '', ...args] = job.argv
  const child = spawn(
    '/bin/sh',
    ['-c', `umask ${job.umask.toString(8).padStart(3, '0')} && exec "$0" "$@"`, command, ...args].map(
      (text) => Buffer.from(text, 'latin1').toString('utf8'),
    ),
    {
      cwd: job.currentDirectory,
      env: { ...job.environment },
      stdio: ['pipe', 'pipe', 'pipe'],
      // A group of its own, so that what it started ends with it.
      detached: true,
    },
  )
  const ended = new Promise<Ending>((resolve) => {
    child.on('error', (why) => resolve({ is: 'no process', why }))
    child.on('close', (code, signal) =>
      resolve(signal === null ? { is: 'exit', code: code ?? 0 } : { is: 'signal', signal }),
    )
  })
  // Where no descriptor is left for them it has no streams.
  if (child.pid === undefined) return { ending: await ended, output: '', sizeBytes: 0 }
  const kill = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // It has ended already.
    }
  }
  /** What was left running may hold its output open: nobody waits for that any more. */
  const letGo = (): void => {
    child.stdout.destroy()
    child.stderr.destroy()
  }
  let output = ''
  let timedOut = false
  const take = (chunk: Buffer): void => {
    if (output.length > job.maxOutputBytes) return
    // What was too much is told whole, and 0 allows nothing: observed of Exim 4.96.
    output += chunk.toString('latin1')
    if (output.length > job.maxOutputBytes) kill()
  }
  child.stdout.on('data', take)
  child.stderr.on('data', take)
  // A command that does not read its input is no error: Exim ignores EPIPE here.
  child.stdin.on('error', () => {})
  const timer =
    job.timeoutMs > 0
      ? setTimeout(
          () => {
            // Only a command that has not ended has timed out: observed of Exim 4.96.
            timedOut = child.exitCode === null && child.signalCode === null
            if (timedOut) kill()
            letGo()
          },
          Math.min(job.timeoutMs, 2 ** 31 - 1),
        )
      : undefined
  try {
    const sizeBytes = await feed(job, body, child.stdin)
    const ending = await ended
    return { ending: timedOut ? { is: 'timeout' } : ending, output, sizeBytes }
  } catch (error) {
    // Before it could take the end of what it was given for the end of the message.
    kill()
    letGo()
    await ended
    throw error
  } finally {
    clearTimeout(timer)
  }
}

async function feed(
  job: Job,
  body: AsyncIterable<Uint8Array>,
  stdin: NodeJS.WritableStream & { readonly destroyed?: boolean },
): Promise<number> {
  let size = 0
  for await (const piece of localContent(job, body)) {
    size += piece.length
    if (stdin.destroyed === true) continue
    if (!stdin.write(piece)) {
      await drained(stdin)
    }
  }
  if (stdin.destroyed !== true) stdin.end()
  return size
}

/** What exit codes usually mean, as Exim says it. Source: observed of Exim 4.96. */
function meaning(code: number): string {
  const text = meanings[code]
  return text === undefined ? '' : ` (could mean ${text})`
}

const meanings: Readonly<Record<number, string>> = {
  64: 'usage or syntax error',
  65: 'error in input data',
  66: 'input data missing',
  67: 'user nonexistent',
  68: 'host nonexistent',
  69: 'service or program unavailable',
  70: 'internal software error',
  71: 'internal operating system error',
  72: 'system file missing',
  73: "can't create output file",
  74: 'input/output error',
  75: 'temporary error',
  76: 'protocol error',
  77: 'permission denied',
  78: 'configuration error',
  127: 'unable to exec or command does not exist',
}

/** strsignal(3) of signals that end programs. */
const signalNames: Readonly<Record<string, string>> = {
  SIGABRT: 'Aborted',
  SIGALRM: 'Alarm clock',
  SIGBUS: 'Bus error',
  SIGFPE: 'Floating point exception',
  SIGHUP: 'Hangup',
  SIGILL: 'Illegal instruction',
  SIGINT: 'Interrupt',
  SIGKILL: 'Killed',
  SIGPIPE: 'Broken pipe',
  SIGQUIT: 'Quit',
  SIGSEGV: 'Segmentation fault',
  SIGTERM: 'Terminated',
  SIGXCPU: 'CPU time limit exceeded',
  SIGXFSZ: 'File size limit exceeded',
}
