/** Standard input and output of one call. A door: it writes to standard output at once. */
import { writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import type { ByteString } from '../../base/text.ts'

export interface Terminal {
  /** Writes bytes to standard output. */
  out(text: ByteString): void
  /** Writes bytes to standard error. */
  err(text: ByteString): void
  readonly input: NodeJS.ReadableStream
  /** True when a person types. */
  readonly interactive: boolean
  /** True when a person sees standard error. */
  readonly watched?: boolean
}

/** Node makes the streams of a process when they are first asked for, which takes longer than a short call's work. */
export function processTerminal(): Terminal {
  let stdout: NodeJS.WriteStream | undefined
  let stderr: NodeJS.WriteStream | undefined
  return {
    out(text) {
      const bytes = Buffer.from(text, 'latin1')
      const written = stdout === undefined ? writeNow(1, bytes) : 0
      if (written === bytes.length) return
      // Somebody has made it one that does not wait.
      stdout ??= quietAtItsEnd(process.stdout)
      stdout.write(bytes.subarray(written))
    },
    err(text) {
      stderr ??= process.stderr.on('error', () => undefined)
      stderr.write(text, 'latin1')
    },
    get input() {
      return process.stdin
    },
    get interactive() {
      return isatty(0)
    },
    get watched() {
      return isatty(2)
    },
  }
}

/** Writes what can be written without waiting for an event, and tells how much that was. */
function writeNow(fd: number, bytes: Uint8Array): number {
  let at = 0
  try {
    while (at < bytes.length) at += writeSync(fd, bytes, at)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'EPIPE') process.exit(0)
    if (code !== 'EAGAIN') throw error
  }
  return at
}

/** `mailq | head` closes the pipe early: that is no error. */
function quietAtItsEnd(stream: NodeJS.WriteStream): NodeJS.WriteStream {
  return stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
  })
}

/** The lines of standard input, without their line ends; a last line without one counts. */
export async function* lines(input: NodeJS.ReadableStream): AsyncGenerator<ByteString> {
  let rest = ''
  for await (const piece of input) {
    rest += typeof piece === 'string' ? piece : piece.toString('latin1')
    let from = 0
    for (let end = rest.indexOf('\n', from); end !== -1; end = rest.indexOf('\n', from)) {
      yield rest.slice(from, end)
      from = end + 1
    }
    rest = rest.slice(from)
    if (rest.length > 1 << 20) throw new Error('a line of the input is longer than 1 MB')
  }
  if (rest !== '') yield rest
}
