/** Standard input and output of one call. */
import { Readable } from 'node:stream'
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

export function processTerminal(): Terminal {
  return {
    out: (text) => void process.stdout.write(text, 'latin1'),
    err: (text) => void process.stderr.write(text, 'latin1'),
    input: process.stdin,
    interactive: process.stdin.isTTY === true,
    watched: process.stderr.isTTY === true,
  }
}

/** For work on whose output nobody waits. */
export function quietTerminal(): Terminal {
  return { out: () => undefined, err: () => undefined, input: Readable.from([]), interactive: false }
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
