/** AUTH: the dialogue; the mechanisms are the authenticators' business. Source: RFC 4954. */
import type { ByteString } from '../../../base/text.ts'
import { clientError } from '../errors.ts'
import type { Next, Session } from '../session-state.ts'
import type { Command } from './command.ts'

/** RFC 4954 section 4: lines of 12288 bytes must be taken. */
const answerLimitBytes = 12_290

export const auth: Command = {
  name: 'AUTH',
  doc: 'Begins authentication, where it was offered.',
  verb: 'AUTH',
  nonmail: 'onceFree',
  groupable: 'always',
  async proceed(session, argument) {
    const service = session.services.auth
    if (service === undefined || !session.offers('AUTH')) {
      return clientError(session, 'protocol', 503, 'AUTH command used when not advertised')
    }
    if (session.connection.authenticatedBy !== undefined) {
      return clientError(session, 'protocol', 503, 'already authenticated')
    }
    if (session.transaction !== undefined) {
      return clientError(session, 'protocol', 503, 'not permitted in mail transaction')
    }
    session.authTried = true
    const [mechanism = '', initial] = argument.split(/[ \t]+/)
    return authenticate(session, mechanism, initial)
  },
}

async function authenticate(
  session: Session,
  mechanism: string,
  initial: ByteString | undefined,
): Promise<Next> {
  const { connection, context } = session
  const result = await session.services.auth?.authenticate(
    {
      mechanism: mechanism.toUpperCase(),
      initial: initial === '=' ? '' : initial,
      challenge: (text) => challenge(session, text),
    },
    context,
  )
  if (result?.is === 'ok') {
    connection.authenticatedBy = result.publicName
    connection.authenticatedId = result.id
    connection.protocol = `${connection.hostAddress === undefined ? 'local-' : ''}esmtp${connection.tls === undefined ? '' : 's'}a`
    session.reply(235, 'Authentication succeeded')
    return 'continue'
  }
  if (result === undefined) return 'close'
  connection.authenticationFailed = true
  connection.authenticatedFailId = result.id
  session.rejectLog(`${mechanism} authenticator failed for ${session.who(false)}: ${result.log}`, {
    event: 'auth:failed',
    mechanism,
  })
  const code = /^\d{3} /.exec(result.reply)?.[0].trim()
  session.reply(
    code === undefined ? 535 : Number(code),
    code === undefined ? result.reply : result.reply.slice(4),
  )
  return 'continue'
}

async function challenge(session: Session, text: ByteString): Promise<ByteString | undefined> {
  session.reply(334, text)
  session.send()
  const answer = await session.io.reader.line(answerLimitBytes, session.commandTimeoutMs)
  return answer.is === 'line' ? answer.text : undefined
}
