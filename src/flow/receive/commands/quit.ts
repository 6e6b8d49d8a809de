/** QUIT. Source: RFC 5321 section 4.1.1.10; Exim manual, "The QUIT ACL". */
import { chooseReply } from '../../../wire/smtp/replies.ts'
import { endingAclFailed, runAclOption } from '../acl.ts'
import { aclContext } from '../pre-mail.ts'
import type { Next } from '../session-state.ts'
import type { Command } from './command.ts'

export const quit: Command = {
  name: 'QUIT',
  doc: 'Ends the session.',
  verb: 'QUIT',
  bare: true,
  nonmail: false,
  groupable: 'always',
  async proceed(session): Promise<Next> {
    session.incomplete('QUIT')
    session.quitSeen = true
    // Its verdict has no effect; its message may be sent.
    const result = await runAclOption(session.settings.acl_smtp_quit, 'quit', () => aclContext(session))
    session.reset()
    const wrong = endingAclFailed(result)
    if (wrong !== undefined) session.log.panic(undefined, `ACL for QUIT returned ERROR: ${wrong}`)
    const message = result?.userMessage
    if (message === undefined || message === '') {
      session.reply(221, `${session.connection.activeHostname} closing connection`)
    } else {
      const chosen = chooseReply(message, 221)
      session.reply(chosen.code, chosen.wrongCode === undefined ? chosen.text : message)
    }
    session.ended = true
    if (session.logsConnection && session.log.selects('smtp_connection')) {
      session.mainLog(`SMTP connection from ${session.who(false)} closed by QUIT`, { event: 'smtp:close' })
    }
    return 'close'
  },
}
