/** Items that read files, sockets and the environment, and that run commands. */
import { createHmac } from 'node:crypto'
import { isFailure, type Awaitable, type Failure, type Outcome } from '../../../base/outcome.ts'
import { parseInterval } from '../../../base/interval.ts'
import { encodeUtf8, isTainted, taint, textOf, toBytes, type Text } from '../../../base/text.ts'
import type { SocketRequest, SocketResult } from '../../../base/read-socket.ts'
import { failure, largestResult, refuseTainted, type Environment } from '../environment.ts'
import { inOrder } from '../evaluate.ts'
import type { ItemRow } from '../rows.ts'
import { choosingItem, plainItem } from './kinds.ts'

const manual = 'Expansion items'

/** Replaces line ends when an end-of-line string was given. */
function withEol(text: string, eol: Text | undefined): string {
  return eol === undefined ? text : text.replaceAll('\n', textOf(eol))
}

const readfile = plainItem({
  name: 'readfile',
  doc: 'The contents of a file.',
  since: '0.1',
  manual,
  least: 1,
  most: 2,
  apply([name = '', eol], environment) {
    const refused = refuseTainted(name, 'file read')
    if (refused !== undefined) return refused
    const path = textOf(name)
    const read = environment.context.ports.files.read(path, largestResult)
    if ('error' in read) {
      if (read.code === 'EISDIR') return ''
      return failure(`failed to open ${path}: ${read.error}`)
    }
    return withEol(read.bytes, eol)
  },
})

/** Longest wait for a socket, whatever the configuration says. */
const longestWaitSeconds = 600

/** The third argument: `3s:shutdown=no:tls=yes`. */
function socketOptions(
  text: string,
  environment: Environment,
): { timeoutMs: number; shutdown: boolean; tls: boolean } | Failure {
  const [first = '', ...others] = environment.context.ports.splitList(text).map(textOf)
  const seconds = first === '' ? 5 : parseInterval(first)
  if (seconds === undefined) return failure(`bad time value ${first}`)
  const options = { timeoutMs: Math.min(seconds, longestWaitSeconds) * 1000, shutdown: true, tls: false }
  for (const option of others) {
    const [name = '', value = ''] = option.split('=')
    const yes = value.trim().toLowerCase() !== 'no' && value.trim().toLowerCase() !== 'false'
    if (name.trim() === 'shutdown') options.shutdown = yes
    else if (name.trim() === 'tls') options.tls = yes
    else if (name.trim() !== 'cache') return failure(`bad option '${option}' for readsocket`)
  }
  return options
}

function socketPlace(name: string): SocketRequest['to'] | Failure {
  if (!name.startsWith('inet:')) {
    return name.startsWith('/')
      ? { path: name }
      : failure(`failed to connect to socket ${name}: No such file or directory`)
  }
  const match = /^inet:(?:\[([^\]]+)\]|([^:]*)):(\w+)$/.exec(name)
  if (match === null) return failure(`missing port for readsocket ${name}`)
  const host = match[1] ?? match[2] ?? ''
  const port = Number(match[3])
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    return failure(`unknown port "${match[3] ?? ''}" for readsocket`)
  return { host, port }
}

/** The fifth string stands in for any failure to get an answer; it is evaluated only then. */
const readsocket: ItemRow = {
  name: 'readsocket',
  doc: 'Sends a request to a socket and gives the answer.',
  since: '0.1',
  manual,
  read(reader, start) {
    const list = reader.argumentsOf('readsocket', 2, 5, start)
    return list && { arguments: list }
  },
  compile(parts, compiler) {
    const runs = parts.arguments.slice(0, 4).map((one) => compiler.template(one))
    const fifth = parts.arguments[4]
    const instead = fifth && compiler.template(fifth)
    const conclude = (
      result: SocketResult,
      eol: Text | undefined,
      environment: Environment,
    ): Awaitable<Outcome> => {
      if (result.is === 'answer') return taint(withEol(result.data, eol), '${readsocket')
      return instead === undefined ? failure(result.message) : instead(environment)
    }
    const ask = (values: readonly Text[] | Failure, environment: Environment): Awaitable<Outcome> => {
      if (isFailure(values)) return values
      const [name = '', request = '', text = '', eol] = values
      const refused = refuseTainted(name, 'socket')
      if (refused !== undefined) return refused
      const to = socketPlace(textOf(name))
      if (isFailure(to)) return conclude({ is: 'failed', message: to.message }, eol, environment)
      const options = socketOptions(textOf(text), environment)
      if (isFailure(options)) return options
      const { signal } = environment.context
      return environment.engine.doors
        .askSocket({ to, request: textOf(request), ...options, answerLimitBytes: largestResult, signal })
        .then((result) => conclude(result, eol, environment))
    }
    return (environment) => {
      const values = inOrder(runs, environment)
      return values instanceof Promise
        ? values.then((settled) => ask(settled, environment))
        : ask(values, environment)
    }
  },
}

const env = choosingItem({
  name: 'env',
  doc: 'A variable of the environment.',
  since: '0.1',
  manual,
  count: 1,
  choose([name = ''], environment) {
    const all = environment.engine.doors.environment(environment.context)
    const key = textOf(name).trim()
    const value = Object.hasOwn(all, key) ? all[key] : undefined
    return { found: value !== undefined, value: value === undefined ? '' : encodeUtf8(value) }
  },
})

const hmac = plainItem({
  name: 'hmac',
  doc: 'A message authentication code by RFC 2104, with md5 or sha1.',
  since: '0.1',
  manual,
  least: 3,
  most: 3,
  apply([algorithm = '', secret = '', text = '']) {
    const name = textOf(algorithm)
    if (name !== 'md5' && name !== 'sha1') return failure(`hmac algorithm "${name}" is not recognised`)
    const code = createHmac(name, toBytes(textOf(secret)))
      .update(toBytes(textOf(text)))
      .digest('hex')
    return isTainted(text) ? taint(code, text.spans[0]?.origin ?? '') : code
  },
})

export const fileItems: readonly ItemRow[] = [env, hmac, readfile, readsocket]
