import { type Failure, isFailure, type Awaitable, type Outcome } from '../../../base/outcome.ts'
import { outsideWords } from '../../../base/outside.ts'
import { isTainted, textOf, type ByteString, type Text } from '../../../base/text.ts'
import type { CommandResult } from '../doors/doors.ts'
import { failure, type Environment } from '../environment.ts'
import { compileBranches, finallyDo, inOrder } from '../evaluate.ts'
import type { ItemRow } from '../rows.ts'

/** Longest run of a command, in seconds, and the most output that is kept. */
const longestSeconds = 60
const mostOutput = 1024 * 1024
const mostArguments = 256

/** `${run{program argument ...}{yes}{no}}`: arguments are split first, then expanded; no shell. */
export const run: ItemRow = {
  name: 'run',
  doc: 'Runs a command; $value is its output, $runrc its exit code.',
  since: '0.1',
  manual: 'Expansion items',
  read(reader, start) {
    const option = /^,\s*(\w+)/.exec(reader.rest())
    if (option !== null) {
      if (option[1] !== 'preexpand') return reader.syntax(`bad option '${option[1] ?? ''}' for run`)
      reader.position += option[0].length
    }
    reader.skipSpace()
    if (reader.peek() !== '{') return reader.syntax("missing '{' for command arg of run")
    const open = reader.position
    const command = reader.braced(open, "missing '}' closing command arg of run")
    if (command === undefined) return undefined
    const branches = reader.branches('run', start)
    const word = option === null ? reader.text.slice(command.start, command.end) : undefined
    return branches && { arguments: [command], branches, word }
  },
  compile(parts, compiler) {
    const [command] = parts.arguments
    const branch = compileBranches('run', parts.branches, compiler)
    const pieces = parts.word === undefined ? undefined : splitCommand(parts.word)
    // One of the two only: nested commands would be compiled twice on each level.
    const whole = command === undefined || pieces !== undefined ? () => '' : compiler.template(command)
    const runs = pieces?.map((piece) => compiler.text(unquote(piece)))
    const conclude = (result: CommandResult, environment: Environment): Awaitable<Outcome> => {
      if (result.is === 'failed') return failure(result.message)
      const { code, output } = result
      environment.context.trace?.note('variable', '$runrc', String(code))
      environment.context.variables.set('runrc', String(code))
      const choice = branch(environment, { found: code === 0, value: output })
      // The output stays in $value after the item.
      return finallyDo(choice, () => {
        environment.value = output
      })
    }
    const start = (argv: readonly Text[] | Failure, environment: Environment): Awaitable<Outcome> => {
      if (isFailure(argv)) return argv
      const [program = '', ...rest] = argv
      if (isTainted(program)) {
        return failure(
          `Attempt to exec tainted path: '${program.text}' ${outsideWords(program.spans[0]?.origin)}`,
        )
      }
      if (program === '') return conclude({ is: 'ended', code: 0, output: '' }, environment)
      if (!program.startsWith('/')) return conclude({ is: 'ended', code: 127, output: '' }, environment)
      environment.context.debug?.('exec', `exec ${argv.map(textOf).join(' ')}`)
      return environment.engine.doors
        .runCommand({
          program,
          argv: rest.map(textOf),
          environment: environment.engine.doors.environment(environment.context),
          timeoutMs: longestSeconds * 1000,
          outputLimitBytes: mostOutput,
          signal: environment.context.signal,
        })
        .then((result) => conclude(result, environment))
    }
    if (runs === undefined) {
      return (environment) => {
        const text = whole(environment)
        return text instanceof Promise
          ? text.then((settled) => start(preexpanded(settled), environment))
          : start(preexpanded(text), environment)
      }
    }
    return (environment) => {
      const argv = inOrder(runs, environment)
      return argv instanceof Promise
        ? argv.then((settled) => start(settled, environment))
        : start(argv, environment)
    }
  },
}

/** The output of one text may be several arguments only when it was expanded first. */
function preexpanded(text: Outcome): readonly Text[] | Failure {
  if (isFailure(text)) return text
  if (isTainted(text)) {
    const first = textOf(text).trim().split(/\s/)[0] ?? ''
    return failure(`Attempt to exec tainted path: '${first}' ${outsideWords(text.spans[0]?.origin)}`)
  }
  return splitCommand(text).map((piece) => unquote(piece))
}

/** Splits at white space outside quotes and outside the braces of expansion items. */
export function splitCommand(command: ByteString): ByteString[] {
  const pieces: ByteString[] = []
  let piece = ''
  let quote = ''
  let depth = 0
  for (let i = 0; i < command.length && pieces.length < mostArguments; i++) {
    const char = command.charAt(i)
    if (char === '\\' && quote !== "'") {
      piece += char + command.charAt(++i)
      continue
    }
    if (depth === 0 && quote === '' && /\s/.test(char)) {
      if (piece !== '') pieces.push(piece)
      piece = ''
      continue
    }
    if (quote === '' && depth === 0 && piece === '' && (char === '"' || char === "'")) quote = char
    else if (char === quote) quote = ''
    else if (char === '$' && command.charAt(i + 1) === '{') depth++
    else if (depth > 0 && char === '{' && command.charAt(i - 1) !== '$') depth++
    else if (depth > 0 && char === '}') depth--
    piece += char
  }
  if (piece !== '') pieces.push(piece)
  return pieces
}

/** A piece in double quotes has escapes; in single quotes nothing is special. */
function unquote(piece: ByteString): ByteString {
  if (piece.length < 2) return piece
  if (piece.startsWith("'") && piece.endsWith("'")) return piece.slice(1, -1)
  if (!piece.startsWith('"') || !piece.endsWith('"')) return piece
  return piece.slice(1, -1).replace(/\\(["\\])/g, '$1')
}
