/** ETRN. Source: RFC 1985; Exim manual, "The ETRN command". */
import { answerRefusal, deniedWithout, refusalOf, runAclOption } from '../acl.ts'
import { clientError } from '../errors.ts'
import { aclContext } from '../pre-mail.ts'
import type { Command } from './command.ts'

export const etrn: Command = {
  name: 'ETRN',
  doc: 'Asks for a delivery attempt of waiting mail.',
  verb: 'ETRN',
  nonmail: true,
  groupable: false,
  async proceed(session, argument) {
    if (session.transaction !== undefined) {
      return clientError(session, 'protocol', 503, 'ETRN is not permitted inside a transaction')
    }
    if (session.log.selects('etrn')) {
      session.mainLog(`ETRN ${argument} received from ${session.who(false)}`, {
        event: 'smtp:etrn',
        argument,
      })
    }
    const context = aclContext(session)
    const result =
      (await runAclOption(session.settings.acl_smtp_etrn, 'etrn', context)) ??
      deniedWithout('acl_smtp_etrn', context)
    const refusal = refusalOf(session, result, { what: `ETRN ${argument}`, denyCode: 458 })
    if (refusal !== undefined) return answerRefusal(session, refusal)
    // Without a command of its own only the # form has a meaning here.
    if (session.settings.smtp_etrn_command === undefined && !/^#./.test(argument)) {
      return clientError(session, 'syntax', 501, 'argument must begin with #')
    }
    const run = await session.services.etrn?.(argument, context)
    if (run === undefined || run.is === 'failed') session.reply(458, run?.text ?? 'Unable to queue messages')
    else if (run.is === 'busy') session.reply(458, run.text)
    else session.reply(250, 'OK')
    return 'continue'
  },
}
