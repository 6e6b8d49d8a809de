/**
 * A query of a redis lookup as an argument vector.
 *
 * White space in the configuration's own words separates arguments; what came from outside never does, quoted or
 * not, so it can never become an argument of its own.
 * Source: Exim manual, "More about Redis" and `quote_redis` in "Expansion operators".
 */
import type { ByteString, TaintSpan, Text } from '../../base/text.ts'

export type RedisCommand =
  | { readonly is: 'command'; readonly name: ByteString; readonly args: readonly ByteString[] }
  | { readonly is: 'wrong'; readonly message: string }

interface Argument {
  text: ByteString
  /** Where the first piece of it that is not ours came from. */
  origin: string | undefined
}

interface Split {
  readonly args: readonly Argument[]
  /** A `$1` for which there is no value. */
  readonly missing: string | undefined
}

/** Most arguments of one command. */
const mostArguments = 1_000

/** @param parameters values for `$1` and so on: each stays within its argument, even an empty one */
export function readCommand(query: Text, parameters?: readonly ByteString[]): RedisCommand {
  const { args: parts, missing } = split(query, parameters)
  if (missing !== undefined)
    return { is: 'wrong', message: `REDIS: the query has ${missing}, but there is no such parameter` }
  const [command, ...args] = parts
  if (command === undefined) return { is: 'wrong', message: 'REDIS: empty query' }
  if (parts.length > mostArguments) return { is: 'wrong', message: 'REDIS: too many arguments' }
  const name = command.text.toUpperCase()
  if (command.origin !== undefined) {
    return {
      is: 'wrong',
      message: `REDIS: the command "${command.text}" came from outside (${command.origin})`,
    }
  }
  const script = scripts[name]
  const code = script === undefined ? undefined : args[script]?.origin
  if (code !== undefined)
    return { is: 'wrong', message: `REDIS: the program for ${name} came from outside (${code})` }
  const why = unshareable[name]
  if (why !== undefined) return { is: 'wrong', message: `REDIS: ${name} cannot be used in a lookup: ${why}` }
  return { is: 'command', name: command.text, args: args.map(({ text }) => text) }
}

/** Which argument, from 0, is a program. */
const scripts: Readonly<Record<string, number>> = { EVAL: 0, EVAL_RO: 0, FUNCTION: 1, SCRIPT: 1 }

const connection = 'all sessions share one connection'
const waits = 'it would make all other lookups wait'

/** Commands that change the connection, or block it. */
const unshareable: Readonly<Record<string, string>> = {
  ASKING: connection,
  AUTH: `${connection}; write the password in redis_servers`,
  BLMOVE: waits,
  BLMPOP: waits,
  BLPOP: waits,
  BRPOP: waits,
  BRPOPLPUSH: waits,
  BZMPOP: waits,
  BZPOPMAX: waits,
  BZPOPMIN: waits,
  CLIENT: connection,
  DISCARD: connection,
  EXEC: connection,
  HELLO: connection,
  MONITOR: connection,
  MULTI: `${connection}; a script (EVAL) does several things at once`,
  PSUBSCRIBE: connection,
  QUIT: connection,
  READONLY: connection,
  READWRITE: connection,
  RESET: connection,
  SELECT: `${connection}; write the database in redis_servers`,
  SSUBSCRIBE: connection,
  SUBSCRIBE: connection,
  UNWATCH: connection,
  WAIT: waits,
  WAITAOF: waits,
  WATCH: connection,
  XREAD: waits,
  XREADGROUP: waits,
}

function split(query: Text, parameters: readonly ByteString[] | undefined): Split {
  const args: Argument[] = []
  let current: Argument | undefined
  let missing: string | undefined
  const add = (text: ByteString, origin?: string): void => {
    current ??= args[args.push({ text: '', origin: undefined }) - 1]
    if (current === undefined) return
    current.text += text
    current.origin ??= origin
  }
  const trusted = (text: ByteString): void => {
    for (let i = 0; i < text.length; i++) {
      const char = text.charAt(i)
      if (/[ \t\n\v\f\r]/.test(char)) current = undefined
      else if (char === '$' && parameters !== undefined && /^[1-9]/.test(text.slice(i + 1))) {
        const digits = /^\d{1,3}/.exec(text.slice(i + 1))?.[0] ?? ''
        const value = parameters[Number(digits) - 1]
        missing ??= value === undefined ? `$${digits}` : undefined
        add(value ?? '', 'a parameter')
        i += digits.length
      }
      // A backslash makes the next character a plain one.
      else if (char === '\\' && i + 1 < text.length) add(text.charAt(++i))
      else add(char)
    }
  }
  if (typeof query === 'string') {
    trusted(query)
    return { args, missing }
  }
  let at = 0
  for (const span of query.spans) {
    trusted(query.text.slice(at, span.start))
    add(value(query.text.slice(span.start, span.end), span), span.origin)
    at = span.end
  }
  trusted(query.text.slice(at))
  return { args, missing }
}

/** The backslashes of `quote_redis` are undone once; what was not quoted stays as it came. */
function value(text: ByteString, span: TaintSpan): ByteString {
  return span.quoter === 'redis' ? text.replace(/\\([\s\S])/g, '$1') : text
}
