/**
 * Does the client wait for answers where it must? Source: RFC 2920 section 3.1; Exim manual, `smtp_enforce_sync`.
 */
import { printable } from '../../mail/log-lines.ts'
import type { Command } from './commands/command.ts'
import { replyAtEnd } from './not-quit.ts'
import { preMailControls } from './pre-mail.ts'
import type { Next, Session } from './session-state.ts'

/** How much of the early input the log line shows. */
const shownBytes = 150

/** True when input has come that should have waited for the answer to this command. */
export function outOfStep(
  session: Session,
  command: Pick<Command, 'groupable' | 'verb'> | undefined,
): boolean {
  const early = session.io.reader.buffered()
  if (early === undefined) return false
  const pipelining = session.offers('PIPELINING')
  if (pipelining && command?.groupable === 'pipelining') session.pipelined = true
  if (!session.settings.smtp_enforce_sync || !session.remote || session.connection.kind !== 'smtp')
    return false
  const controls = session.transaction?.message.controls
  const enforced = controls?.enforceSync ?? session.syncEnforced ?? preMailControls(session)?.enforceSync
  if (enforced === false) return false
  if (command?.groupable === 'always') return false
  if (command?.groupable === 'pipelining' && pipelining) return false
  // With early pipelining a client may send its greeting, and what follows up to MAIL, at once.
  if (command?.verb === 'MAIL') return true
  return !(session.pipeConnectAllowed && session.messagesStarted === 0)
}

/** Refuses, logs, and ends the session. */
export async function tooSoon(session: Session): Promise<Next> {
  const early = session.io.reader.buffered()
  const shown = printable(
    (early ?? Buffer.alloc(0)).toString('latin1', 0, shownBytes),
    session.settings.print_topbitchars,
  )
  const advertised = session.offers('PIPELINING') ? 'was' : 'was not'
  const command = session.connection.smtpCommand
  session.unsay()
  session.lose('synchronization-error')
  session.reset('sync failure')
  session.ended = true
  session.rejectLog(
    `SMTP protocol synchronization error (next input sent too soon: pipelining ${advertised} advertised): ` +
      `rejected "${command}" ${session.who()} next input="${shown}"`,
    { event: 'smtp:synchronisation', command },
  )
  await replyAtEnd(session, 554, 'SMTP synchronization error')
  return 'close'
}

/** A client that spoke before the banner. */
export function spokeFirst(session: Session): boolean {
  const early = session.io.reader.buffered()
  if (early === undefined) return false
  if (session.pipeConnectAllowed) {
    session.pipeConnectUsed = true
    return false
  }
  if (!session.settings.smtp_enforce_sync || !session.remote || session.connection.kind !== 'smtp')
    return false
  if (preMailControls(session)?.enforceSync === false) return false
  session.rejectLog(
    'SMTP protocol synchronization error (input sent without waiting for greeting): rejected connection from ' +
      `${session.who()} input="${printable(early.toString('latin1', 0, shownBytes))}"`,
    { event: 'smtp:synchronisation' },
  )
  session.ended = true
  session.lose('synchronization-error')
  session.reply(554, 'SMTP synchronization error')
  return true
}
