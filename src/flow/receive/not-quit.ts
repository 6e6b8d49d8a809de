/** The ACL for sessions that end without QUIT. Source: Exim manual, "The not-QUIT ACL". */
import { endingAclFailed, runAclOption } from './acl.ts'
import { aclContext } from './pre-mail.ts'
import type { Session } from './session-state.ts'

/** Runs it once, with the message that was under way when the session ended; too early is no harm: without a reason it does not run. */
export async function runNotQuit(session: Session): Promise<void> {
  const option = session.settings.acl_smtp_notquit
  if (session.quitSeen || session.notQuitRan || option === undefined) return
  // Too many errors are no reason that the manual names: the ACL does not run. Observed of Exim 4.96.
  if (session.connection.notQuitReason === '') return
  session.notQuitRan = true
  const result = await runAclOption(option, 'notquit', session.lostContext ?? aclContext(session))
  const wrong = endingAclFailed(result)
  if (wrong !== undefined) session.log.panic(undefined, `ACL for not-QUIT returned ERROR: ${wrong}`)
}
