/** The AUTH parameter of MAIL: who sent the message, as an authenticated client says. Source: RFC 4954 section 5; Exim manual, "The AUTH parameter on MAIL commands". */
import { isFailure } from '../../base/outcome.ts'
import { type ByteString, textOf } from '../../base/text.ts'
import { decodeXtext, type EsmtpParameter } from '../../wire/smtp/grammar.ts'
import { answerRefusal, refusalOf, runAclOption } from './acl.ts'
import { aclContext } from './pre-mail.ts'
import type { Next, Session } from './session-state.ts'

/** Sets `$authenticated_sender`, or logs why the parameter does not count; gives what ends the command. */
export async function mailAuth(
  session: Session,
  parameters: readonly EsmtpParameter[],
): Promise<Next | undefined> {
  const { connection } = session
  // A local caller's own address stands from the beginning of the session.
  if (session.remote) connection.authenticatedSender = undefined
  const value = parameters.find((one) => one.name === 'AUTH')?.value
  if (value === undefined || value === '' || value === '<>') return undefined
  const own = connection.authenticatedSender
  connection.authenticatedSender = decodeXtext(value)
  const result = await runAclOption(session.settings.acl_smtp_mailauth, 'mailauth', aclContext(session))
  // What the parameter says is no reason to close the connection.
  if (result?.verdict === 'drop') {
    session.log.panic(undefined, '"drop" verb not allowed in MAILAUTH ACL')
  }
  const acl = result?.verdict === 'drop' ? { ...result, verdict: 'defer' as const } : result
  if (acl !== undefined && (acl.verdict === 'defer' || acl.verdict === 'error')) {
    connection.authenticatedSender = own
    const what = `MAILAUTH ${session.connection.smtpCommandArgument}`
    const refusal = refusalOf(session, acl, { what })
    return refusal === undefined ? undefined : answerRefusal(session, refusal)
  }
  const why = await ignoredBecause(session, acl?.verdict)
  if (why === undefined) return undefined
  connection.authenticatedSender = own
  session.mainLog(`ignoring AUTH=${value} from ${session.who()} (${why})`, { event: 'auth:ignored', why })
  return undefined
}

async function ignoredBecause(
  session: Session,
  verdict: string | undefined,
): Promise<ByteString | undefined> {
  const { connection, context } = session
  if (verdict === undefined) {
    if (connection.authenticatedBy === undefined) return 'client not authenticated'
  } else if (verdict !== 'accept') return 'rejected by ACL'
  const condition = context.server.configuration.authenticators.find(
    (one) => one.name === connection.authenticatedBy,
  )?.settings.server_mail_auth_condition
  if (condition === undefined) return undefined
  const text = await context.ports.expand(condition, { ...context, captures: [] })
  if (!isFailure(text) && !/^(?:|0|no|false)$/i.test(textOf(text))) return undefined
  return `server_mail_auth_condition failed: authenticated ID="${connection.authenticatedId ?? ''}"`
}
