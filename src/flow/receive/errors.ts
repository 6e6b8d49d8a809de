/** Syntax and protocol errors of a client: answered, logged, counted. */
import { taint, type ByteString } from '../../base/text.ts'
import { printable } from '../../mail/log-lines.ts'
import { historyField, type Next, type Session } from './session-state.ts'

/**
 * Answers an error of the client and counts it; one too many ends the session.
 * Source: Exim manual, "Syntax and protocol errors in SMTP commands".
 */
export function clientError(
  session: Session,
  kind: 'syntax' | 'protocol',
  code: number,
  text: ByteString,
  logText: ByteString = text.split('\n').at(-1) ?? text,
): Next {
  const command = commandShown(session)
  if (session.log.selects(kind === 'syntax' ? 'smtp_syntax_error' : 'smtp_protocol_error')) {
    session.mainLog(`SMTP ${kind} error in "${command}" ${session.who()} ${logText}`, {
      event: `smtp:${kind}-error`,
      command,
    })
  }
  raiseError(session, kind, logText)
  const over = countError(session)
  session.reply(code, over ? `${text}\nToo many syntax or protocol errors` : text)
  return over ? 'close' : 'continue'
}

/** Told, not waited for: the client gets its answer at once. */
export function raiseError(session: Session, kind: 'syntax' | 'protocol', text: ByteString): void {
  const { context } = session
  void context.ports.raise(`smtp:fail:${kind}`, taint(text, '$event_data'), context)
}

/** Counts an error; true, and logged, when it was one too many. */
export function countError(session: Session): boolean {
  session.syntaxOrProtocolErrors++
  if (session.syntaxOrProtocolErrors <= session.settings.smtp_max_synprot_errors) return false
  logTooMany(session)
  return true
}

function logTooMany(session: Session): void {
  session.ended = true
  session.brokenOff = true
  session.rejectLog(
    `SMTP call from ${session.who(false)} dropped: too many syntax or protocol errors ` +
      `(last command was "${commandShown(session)}", ${historyField(session.connection.smtpCommandHistory) || 'NULL'})`,
    { event: 'smtp:dropped', why: 'errors' },
  )
}

/** The command in printing characters; backslashes and tabs stand as they came: observed of Exim 4.96. */
export function commandShown({ connection, settings }: Session): ByteString {
  const hidden = settings.print_topbitchars ? /[^\t\x20-\x7e\x80-\xff]/g : /[^\t\x20-\x7e]/g
  return connection.smtpCommand.replace(hidden, (char) => printable(char))
}
