/** The ACL for sessions that end without QUIT. Source: Exim manual, "The not-QUIT ACL". */
import type { ByteString } from '../../base/text.ts'
import { chooseReply } from '../../wire/smtp/replies.ts'
import { endingAclFailed, runAclOption } from './acl.ts'
import { aclContext } from './pre-mail.ts'
import type { Session } from './session-state.ts'

/** The last reply of a session that ends without QUIT, in the words of the ACL when it has some. */
export async function replyAtEnd(session: Session, code: number, text: ByteString): Promise<void> {
  const message = await runNotQuit(session)
  const chosen = message === undefined ? { code, text } : chooseReply(message, code)
  session.reply(chosen.code, chosen.text)
}

/**
 * Runs it once, with the message that was under way when the session ended; too early is no harm: without a reason it
 * does not run. Gives its message.
 */
export async function runNotQuit(session: Session): Promise<ByteString | undefined> {
  const option = session.settings.acl_smtp_notquit
  if (session.quitSeen || session.notQuitRan || option === undefined) return undefined
  // Too many errors are no reason that the manual names: the ACL does not run. Observed of Exim 4.96.
  if (session.connection.notQuitReason === '') return undefined
  session.notQuitRan = true
  const result = await runAclOption(option, 'notquit', session.lostContext ?? aclContext(session))
  const wrong = endingAclFailed(result)
  if (wrong !== undefined) session.log.panic(undefined, `ACL for not-QUIT returned ERROR: ${wrong}`)
  return result?.userMessage || undefined
}
