/**
 * `transport_filter`: the message on its way to where it is written goes through a command.
 * Source: Exim manual, "Generic options for transports", transport_filter.
 */
import { drained } from './drained.ts'
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { constants } from 'node:os'
import type { ByteString } from '../../../base/text.ts'
import { errorNumbers } from '../results.ts'

export interface TransportFilter {
  /** The command is a path. */
  readonly argv: readonly ByteString[]
  readonly timeoutMs: number
}

/** Why nothing may be delivered: the filter could not be started, failed, or took too long. */
export class TransportFilterError extends Error {
  readonly errno: number
  constructor(message: string, errno: number) {
    super(message)
    this.errno = errno
  }
}

/** The number that Exim shows; observed of Exim 4.96. */
const { filterFailed } = errorNumbers

/** What the command makes of the message; throws a `TransportFilterError` at the end of one that failed. */
export async function* filtered(
  filter: TransportFilter,
  message: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  const [command = '', ...args] = filter.argv.map((text) => Buffer.from(text, 'latin1').toString('utf8'))
  const child = spawn(command, args, { cwd: '/', env: {}, stdio: ['pipe', 'pipe', 'pipe'], detached: true })
  const running = new Running(child)
  // Where no descriptor is left for them it has no streams.
  if (child.pid === undefined) throw (await running.problem(command)) ?? new Error('it has no process')
  const timer = setTimeout(() => running.expire(), Math.min(filter.timeoutMs, 2 ** 31 - 1))
  // Fed while its output is read, or both sides could wait for each other.
  const feeding = feed(message, child)
  try {
    for await (const piece of both(child)) yield piece
    const problem = await running.problem(command)
    if (problem !== undefined) throw problem
    const fault = await feeding
    if (fault !== undefined) throw fault
  } finally {
    clearTimeout(timer)
    running.end()
  }
}

/** All that the command makes of the message at once; throws when it fails or gives too much. */
export async function filteredWhole(
  filter: TransportFilter,
  message: AsyncIterable<Uint8Array>,
  limitBytes: number,
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const piece of filtered(filter, message)) {
    size += piece.length
    if (size > limitBytes) {
      throw new TransportFilterError(`the transport filter wrote more than ${limitBytes} bytes`, filterFailed)
    }
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

/** Most that a filter may make of a message on its way to another host: it is kept in memory. */
export const filteredLimitBytes = 128 * 1024 * 1024

class Running {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  #startError: NodeJS.ErrnoException | undefined
  #expired = false

  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child
    this.#ended = new Promise((resolve) => {
      child.on('error', (error: NodeJS.ErrnoException) => {
        this.#startError = error
        resolve({ code: 127, signal: null })
      })
      child.on('close', (code, signal) => resolve({ code, signal }))
    })
  }

  expire(): void {
    this.#expired = true
    this.end()
  }

  /** What it left running may hold its output open: nobody waits for that any more. */
  end(): void {
    this.#kill()
    this.#child.stdout.destroy()
    this.#child.stderr.destroy()
  }

  #kill(): void {
    try {
      if (this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null) {
        process.kill(-this.#child.pid, 'SIGKILL')
      }
    } catch {
      // It has ended already.
    }
  }

  async problem(command: string): Promise<TransportFilterError | undefined> {
    const { code, signal } = await this.#ended
    if (this.#expired)
      return new TransportFilterError(`transport filter timeout while running ${command}`, 110)
    if (code === 0 && this.#startError === undefined) return undefined
    // A signal as wait(2) gives it: negative here, as Exim shows it.
    const status = signal === null ? (code ?? 0) : -constants.signals[signal]
    return new TransportFilterError(`transport filter process failed (${status})`, filterFailed)
  }
}

/** Standard output and standard error, in the order in which pieces come. */
async function* both(child: ChildProcessWithoutNullStreams): AsyncIterable<Uint8Array> {
  const waiting: Uint8Array[] = []
  let wake: (() => void) | undefined
  let open = 2
  const poke = (): void => {
    wake?.()
    wake = undefined
  }
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (piece: Buffer) => {
      waiting.push(piece)
      // What nobody has written yet is not read on without end.
      if (waiting.length > 64) {
        child.stdout.pause()
        child.stderr.pause()
      }
      poke()
    })
    stream.on('error', poke)
    stream.on('close', () => {
      open--
      poke()
    })
  }
  for (;;) {
    const piece = waiting.shift()
    if (piece !== undefined) {
      yield piece
      if (waiting.length === 0) {
        child.stdout.resume()
        child.stderr.resume()
      }
    } else if (open === 0) return
    else {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
}

/** A fault of the message itself; a command that does not read on is no error. */
async function feed(
  message: AsyncIterable<Uint8Array>,
  child: ChildProcessWithoutNullStreams,
): Promise<Error | undefined> {
  const { stdin } = child
  stdin.on('error', () => undefined)
  try {
    for await (const piece of message) {
      if (stdin.destroyed) continue
      if (stdin.write(piece)) continue
      await drained(stdin)
    }
    stdin.end()
    return undefined
  } catch (error) {
    stdin.destroy()
    return error instanceof Error ? error : new Error(String(error))
  }
}
