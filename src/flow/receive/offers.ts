/** The lines of the EHLO reply. Source: RFC 5321 section 4.1.1.1; order observed of Exim 4.96. */
import { showLists } from './shown-lists.ts'
import { clientMatches, expandInteger } from './matching.ts'
import { xclientNames } from './xclient-names.ts'
import { preMailControls } from './pre-mail.ts'
import type { Extension, Session } from './session-state.ts'

/** Decides what this client is offered, notes it in the session, and gives the lines. */
export async function offerExtensions(session: Session): Promise<string[]> {
  const { settings, context } = session
  const controls = preMailControls(session)
  const lines: string[] = []
  await showLists(session, 'atEhlo')
  const offer = (name: Extension, line: string = name): void => {
    session.offer(name)
    lines.push(line)
  }
  const limit = session.messageSizeLimit
  offer('SIZE', limit <= 0 ? 'SIZE' : `SIZE ${limit}`)
  if (settings.accept_8bitmime) offer('8BITMIME')
  if (await clientMatches(settings.dsn_advertise_hosts, context)) offer('DSN')
  if (settings.acl_smtp_etrn !== undefined) lines.push('ETRN')
  if (settings.acl_smtp_vrfy !== undefined) lines.push('VRFY')
  if (settings.acl_smtp_expn !== undefined) lines.push('EXPN')
  if (
    controls?.disablePipelining !== true &&
    !session.pipeliningDisabled &&
    (await clientMatches(settings.pipelining_advertise_hosts, context))
  ) {
    offer('PIPELINING')
    // Of no use to a local program, and not offered once a message has come: observed of Exim 4.96.
    const early = session.connection.hostAddress !== undefined && session.messagesAccepted === 0
    if (early && (await clientMatches(settings.pipelining_connect_advertise_hosts, context)))
      offer('PIPECONNECT')
  }
  const mechanisms = (await session.services.auth?.mechanisms(context)) ?? []
  if (mechanisms.length > 0) offer('AUTH', `AUTH ${mechanisms.join(' ')}`)
  if (await clientMatches(settings.chunking_advertise_hosts, context)) offer('CHUNKING')
  const tls = session.services.startTls
  if (session.connection.tls === undefined && tls !== undefined && (await tls.offered(context)))
    offer('STARTTLS')
  if (settings.prdr_enable) offer('PRDR')
  if (settings.accept_8bitmime && (await clientMatches(settings.smtputf8_advertise_hosts, context)))
    offer('SMTPUTF8')
  const limits = await limitsLine(session)
  if (limits !== '') offer('LIMITS', limits)
  if (
    settings.acl_smtp_wellknown !== undefined &&
    (await clientMatches(settings.wellknown_advertise_hosts, context))
  ) {
    offer('WELLKNOWN')
  }
  if (await clientMatches(settings.hosts_xclient, context))
    offer('XCLIENT', `XCLIENT ${xclientNames.join(' ')}`)
  lines.push('HELP')
  return lines
}

/** What one connection and one message may hold. Source: RFC 9422. */
async function limitsLine({ settings, context }: Session): Promise<string> {
  if (!(await clientMatches(settings.limits_advertise_hosts, context))) return ''
  const mails = (await expandInteger(settings.smtp_accept_max_per_connection, context)) ?? 0
  const recipients = (await expandInteger(settings.recipients_max, context)) ?? 0
  const parts = [
    ...(mails > 0 ? [`MAILMAX=${mails}`] : []),
    ...(recipients > 0 ? [`RCPTMAX=${recipients}`] : []),
  ]
  return parts.length === 0 ? '' : `LIMITS ${parts.join(' ')}`
}
