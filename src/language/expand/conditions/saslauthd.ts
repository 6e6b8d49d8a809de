/** Asking Cyrus's saslauthd. Source: Exim manual, "Expansion conditions", saslauthd. */
import { isFailure, type Awaitable, type Failure } from '../../../base/outcome.ts'
import type { SocketResult } from '../../../base/read-socket.ts'
import { textOf, type ByteString, type Text } from '../../../base/text.ts'
import { failure, type Environment } from '../environment.ts'
import { inOrder } from '../evaluate.ts'
import type { ConditionRow } from '../rows.ts'
import type { Template } from '../tree.ts'

/** Where the daemon of Debian listens. */
const socketPath = '/var/run/saslauthd/mux'
const limitMs = 30_000
/** Longest string of its protocol that the daemon takes. */
const longestPart = 256

export const saslauthd: ConditionRow = {
  name: 'saslauthd',
  doc: 'True when saslauthd takes the user and password: {{user}{password}{service}{realm}}.',
  since: '0.1',
  manual: 'Expansion conditions',
  read(reader) {
    reader.skipSpace()
    if (reader.peek() !== '{') return reader.syntax('missing { after "saslauthd"')
    reader.position++
    const list: Template[] = []
    for (;;) {
      reader.skipSpace()
      if (reader.peek() !== '{' || list.length === 4) break
      const one = reader.braced(reader.position)
      if (one === undefined) return undefined
      list.push(one)
    }
    if (list.length < 2) return reader.syntax('too few arguments or bracketing error for saslauthd')
    if (reader.peek() !== '}') return reader.syntax('too many arguments or bracketing error for saslauthd')
    reader.position++
    return { arguments: list }
  },
  compile(parts, compiler) {
    const runs = parts.arguments.map((one) => compiler.template(one))
    return (environment) => {
      const values = inOrder(runs, environment)
      return values instanceof Promise
        ? values.then((settled) => ask(settled, environment))
        : ask(values, environment)
    }
  },
}

function ask(values: readonly Text[] | Failure, environment: Environment): Awaitable<boolean | Failure> {
  if (isFailure(values)) return values
  const [user = '', password = '', service = '', realm = ''] = values.map(textOf)
  const parts = [user, password, service, realm]
  if (parts.some((part) => part.length > longestPart)) return false
  return environment.engine.doors
    .askSocket({
      to: { path: socketPath },
      request: parts.map(counted).join(''),
      timeoutMs: limitMs,
      shutdown: false,
      tls: false,
      answerLimitBytes: 1024,
      signal: environment.context.signal,
    })
    .then(conclude)
}

/** Each string with its length before it, in two bytes. */
function counted(text: ByteString): ByteString {
  return String.fromCharCode(text.length >> 8, text.length & 255) + text
}

function conclude(result: SocketResult): boolean | Failure {
  if (result.is === 'failed') return failure(problemOf(result.message))
  const answer = result.data.slice(2)
  if (answer.startsWith('OK')) return true
  return answer.startsWith('NO') ? false : failure('saslauthd gave an answer that is none')
}

function problemOf(message: string): string {
  const reason = /^failed to connect to [^:]*: (.*)$/.exec(message)?.[1]
  return reason === undefined
    ? `saslauthd: ${message}`
    : `cannot connect to saslauthd daemon at ${socketPath}: ${reason}`
}
