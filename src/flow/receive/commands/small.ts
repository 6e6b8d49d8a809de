/** Commands that ask little: RSET, NOOP, HELP, and those that are not offered here. */
import { answerRefusal, refusalOf, runAclOption } from '../acl.ts'
import { clientError } from '../errors.ts'
import { aclContext } from '../pre-mail.ts'
import type { Next, Session } from '../session-state.ts'
import { protocolName } from './helo.ts'
import type { Command } from './command.ts'

export const rset: Command = {
  name: 'RSET',
  doc: 'Gives up the message under way.',
  verb: 'RSET',
  bare: true,
  nonmail: 'onceFree',
  groupable: 'pipelining',
  proceed(session) {
    session.reset('RSET')
    session.reply(250, 'Reset OK')
    return 'continue'
  },
}

export const noop: Command = {
  name: 'NOOP',
  doc: 'Does nothing.',
  verb: 'NOOP',
  nonmail: true,
  groupable: false,
  proceed(session) {
    session.reply(250, 'OK')
    return 'continue'
  },
}

export const help: Command = {
  name: 'HELP',
  doc: 'Names the commands.',
  verb: 'HELP',
  nonmail: true,
  groupable: 'always',
  async proceed(session): Promise<Next> {
    const { settings, services } = session
    const verbs = ['AUTH']
    if (
      session.connection.tls === undefined &&
      (await services.startTls?.offered(session.context)) === true
    ) {
      verbs.push('STARTTLS')
    }
    verbs.push('HELO', 'EHLO', 'MAIL', 'RCPT', 'DATA', 'BDAT', 'NOOP', 'QUIT', 'RSET', 'HELP')
    if (settings.acl_smtp_etrn !== undefined) verbs.push('ETRN')
    if (settings.acl_smtp_expn !== undefined) verbs.push('EXPN')
    if (settings.acl_smtp_vrfy !== undefined) verbs.push('VRFY')
    session.reply(214, `Commands supported:\n${verbs.join(' ')}`)
    return 'continue'
  },
}

export const starttls: Command = {
  name: 'STARTTLS',
  doc: 'Begins encryption, where it was offered.',
  verb: 'STARTTLS',
  bare: true,
  nonmail: 'onceFree',
  groupable: false,
  async proceed(session) {
    const tls = session.services.startTls
    if (tls === undefined || !session.offers('STARTTLS')) {
      return clientError(session, 'protocol', 503, 'STARTTLS command used when not advertised')
    }
    const result = await runAclOption(session.settings.acl_smtp_starttls, 'starttls', () =>
      aclContext(session),
    )
    const refusal = result === undefined ? undefined : refusalOf(session, result, { what: 'STARTTLS ' })
    if (refusal !== undefined) return answerRefusal(session, refusal)
    if ((await tls.problem?.(session.context)) !== undefined) {
      session.securityFailure = true
      session.reply(454, 'TLS currently unavailable')
      return 'continue'
    }
    session.reset('STARTTLS')
    session.reply(220, 'TLS go ahead')
    session.send()
    session.io.flush()
    // What was sent along in the clear is never obeyed: RFC 3207 section 6, CVE-2021-38371.
    session.io.reader.discard()
    const begun = await tls.start(session.io, session.context)
    if (begun.is === 'failed') return 'close'
    session.offerNothing()
    session.authTried = false
    // `tls_remember_esmtp` bears with clients that send no EHLO again.
    if (!session.settings.tls_remember_esmtp) {
      session.heloSeen = false
      session.esmtp = false
      session.connection.helo = undefined
      session.connection.heloVerified = undefined
    } else if (session.heloSeen) session.connection.protocol = protocolName(session)
    // What was learnt in clear is forgotten: RFC 3207 section 4.2.
    if (session.remote) forgetAuthentication(session)
    await session.services.auth?.afterTls(session.context)
    session.countAllAgain()
    return 'continue'
  },
}

function forgetAuthentication({ connection }: Session): void {
  connection.authenticatedBy = undefined
  connection.authenticatedMechanism = undefined
  connection.authenticatedId = undefined
  connection.authenticatedSender = undefined
  connection.authenticatedFailId = undefined
  connection.authenticationFailed = false
}
