/** AUTH: the dialogue; the mechanisms are the authenticators' business. Source: RFC 4954; wording observed of Exim 4.96. */
import { fromBytes, taint, type ByteString } from '../../../base/text.ts'
import { answerRefusal, refusalOf, runAclOption } from '../acl.ts'
import { clientError } from '../errors.ts'
import { aclContext, preMailControls } from '../pre-mail.ts'
import type { AuthResult } from '../services.ts'
import type { Next, Session } from '../session-state.ts'
import type { Command } from './command.ts'

/** RFC 4954 section 4 asks for 12288; Exim reads 16384. */
const answerLimitBytes = 16_384

export const auth: Command = {
  name: 'AUTH',
  doc: 'Begins authentication, where it was offered.',
  verb: 'AUTH',
  nonmail: 'onceFree',
  groupable: 'always',
  async proceed(session, argument) {
    const unadvertised = preMailControls(session)?.allowAuthUnadvertised === true
    const service = session.services.auth
    if (service === undefined || !(session.offers('AUTH') || unadvertised)) {
      return clientError(session, 'protocol', 503, 'AUTH command used when not advertised')
    }
    if (session.connection.authenticatedBy !== undefined) {
      return clientError(session, 'protocol', 503, 'already authenticated')
    }
    if (session.transaction !== undefined) {
      return clientError(session, 'protocol', 503, 'not permitted in mail transaction')
    }
    const [, mechanism = '', initial = ''] = /^(\S*)\s*(.*)$/s.exec(argument) ?? []
    const told: ByteString[] = []
    if (initial !== '') conceal(session, mechanism, told, initial)
    const result = await runAclOption(session.settings.acl_smtp_auth, 'auth', aclContext(session))
    const refusal =
      result === undefined
        ? undefined
        : // What follows the mechanism holds a password, which is not for the log.
          refusalOf(session, result, { what: `AUTH ${mechanism}`, denyCode: 503 })
    if (refusal !== undefined) return answerRefusal(session, refusal)
    session.authTried = true
    const outcome = await service.authenticate(
      {
        mechanism,
        initial: initial === '' ? undefined : initial === '=' ? '' : initial,
        unadvertised,
        challenge: (text) => challenge(session, text, (answer) => conceal(session, mechanism, told, answer)),
      },
      // What authenticators compute from passwords is for no explanation.
      { ...session.context, trace: undefined },
    )
    return conclude(session, mechanism, outcome)
  },
}

async function conclude(session: Session, mechanism: string, result: AuthResult): Promise<Next> {
  const { connection } = session
  switch (result.is) {
    case 'ok':
      connection.authenticatedBy = result.name
      connection.authenticatedMechanism = result.publicName
      connection.authenticatedId = result.id
      connection.authenticatedFailId = undefined
      connection.authenticationFailed = false
      connection.protocol = `${connection.hostAddress === undefined ? 'local-' : ''}esmtp${connection.tls === undefined ? '' : 's'}a`
      session.reply(235, 'Authentication succeeded')
      return 'continue'
    case 'unknown':
      return clientError(session, 'protocol', 504, `${mechanism} authentication mechanism not supported`)
    case 'refused':
      await failed(session, mechanism, result)
      return 'continue'
    case 'gone':
      // The end of input is noticed, and logged, where the next command is read.
      return 'continue'
  }
}

async function failed(
  session: Session,
  mechanism: string,
  result: Extract<AuthResult, { is: 'refused' }>,
): Promise<void> {
  const { connection } = session
  const { id, why } = result
  connection.authenticationFailed = true
  connection.authenticatedFailId = id
  const who = id === undefined || id === '' ? '' : ` (set_id=${id})`
  const reason = why === undefined ? '' : `: ${why}`
  session.rejectLog(
    `${result.name} authenticator failed for ${session.who(false)}: ${result.log}${who}${reason}`,
    { event: 'auth:failed', mechanism, id },
  )
  // What the action says is for the log. Source: Exim manual (4.97), "Events".
  const said = await session.context.ports.raise(
    'auth:fail',
    taint(`${result.code} ${result.reply}`, '$event_data'),
    session.context,
  )
  if (said !== '') session.mainLog(said, { event: 'auth:failed', mechanism, id })
  session.reply(result.code, result.reply)
}

/** What the client sent, and the password in it, stay out of explanations; a user name that stands alone does not. */
function conceal({ watch }: Session, mechanism: string, told: ByteString[], sent: ByteString): void {
  if (watch === undefined) return
  watch.secret(sent)
  told.push(sent)
  if (mechanism.toUpperCase() === 'LOGIN' && told.length === 1) return
  const password = fromBytes(Buffer.from(sent, 'base64')).split('\0').at(-1)
  if (password !== undefined) watch.secret(password)
}

async function challenge(
  session: Session,
  text: ByteString,
  onAnswer: (answer: ByteString) => void,
): Promise<ByteString | undefined> {
  session.reply(334, text)
  session.send()
  const answer = await session.io.reader.line(answerLimitBytes, session.commandTimeoutMs)
  if (answer.is === 'end') return undefined
  onAnswer(answer.text)
  // A line too long is no base 64; what is left of it reads as a command, as with Exim.
  return answer.is === 'line' ? answer.text : '!'
}
