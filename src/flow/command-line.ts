/**
 * Splits a command into its arguments and expands each by itself, so that what is inserted never becomes more
 * arguments. Source: Exim manual, "The pipe transport", "How the command is run".
 */
import { isFailure } from '../base/outcome.ts'
import { type ByteString, isTainted, textOf } from '../base/text.ts'
import type { Context } from '../ports.ts'

export interface CommandRequest {
  readonly text: ByteString
  /** False for commands from a traditional .forward or alias file. */
  readonly expand: boolean
  /** Inserted, one argument each, where an argument is precisely `$pipe_addresses`. */
  readonly addresses: readonly ByteString[]
  /** Arguments inserted where one is precisely `$address_pipe` (force_command). */
  readonly pipeArguments?: readonly ByteString[] | undefined
  /** Whose command it is, as messages say: `x transport`. */
  readonly by: string
}

export type CommandResult =
  | { readonly argv: readonly ByteString[] }
  | { readonly is: 'failed' | 'deferred'; readonly message: ByteString }

/** Most arguments of one command. */
const mostArguments = 1000

export async function commandArguments(request: CommandRequest, context: Context): Promise<CommandResult> {
  const { by } = request
  const words = splitCommand(request.text)
  if (typeof words === 'string') {
    return { is: 'failed', message: `${words} in command for ${by}` }
  }
  const argv: ByteString[] = []
  for (const [i, word] of words.entries()) {
    if (word === '$pipe_addresses') {
      argv.push(...request.addresses)
      continue
    }
    if (word === '$address_pipe' && request.pipeArguments !== undefined) {
      argv.push(...request.pipeArguments)
      continue
    }
    if (!request.expand || !(word.includes('$') || word.includes('\\'))) {
      argv.push(word)
      continue
    }
    const value = await context.ports.expandText(word, context)
    if (isFailure(value)) {
      return {
        is: 'deferred',
        message: `Expansion of "${word}" from command "${request.text}" in ${by} failed: ${value.message}`,
      }
    }
    if (isTainted(value)) {
      const what = `Tainted arg ${i}`
      return {
        is: 'failed',
        message: `${what} for ${by} command: '${textOf(value)}'`,
      }
    }
    argv.push(value)
  }
  if (argv.length > mostArguments) {
    return { is: 'failed', message: `Too many arguments in command for ${by}` }
  }
  return { argv }
}

/** Words between white space; `"..."` with backslash escapes, `'...'` without. A text says what is wrong. */
export function splitCommand(text: ByteString): ByteString[] | string {
  const words: ByteString[] = []
  let at = 0
  for (;;) {
    while (/\s/.test(text.charAt(at))) at++
    if (at >= text.length) return words
    const quote = text.charAt(at)
    if (quote === '"' || quote === "'") {
      let word = ''
      at++
      while (at < text.length && text.charAt(at) !== quote) {
        if (quote === '"' && text.charAt(at) === '\\') {
          at++
          word += escaped(text.charAt(at))
        } else word += text.charAt(at)
        at++
      }
      // A quote that does not end ends with the text, as in Exim.
      at++
      words.push(word)
      continue
    }
    const start = at
    while (at < text.length && !/\s/.test(text.charAt(at))) at++
    words.push(text.slice(start, at))
  }
}

function escaped(letter: string): string {
  return { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f' }[letter] ?? letter
}
