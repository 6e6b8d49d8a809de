/** HELO and EHLO. Source: RFC 5321 section 4.1.1.1; Exim manual, `helo_...` options. */
import type { ByteString } from '../../../base/text.ts'
import { printable } from '../../../mail/log-lines.ts'
import { validHelo } from '../../../wire/smtp/grammar.ts'
import { answerRefusal, refusalOf, runAclOption } from '../acl.ts'
import { countError } from '../errors.ts'
import { verifyHelo } from '../../../policy/acl/verify/helo.ts'
import { clientMatches, expandOption } from '../matching.ts'
import { offerExtensions } from '../offers.ts'
import { aclContext } from '../pre-mail.ts'
import type { Next, Session } from '../session-state.ts'
import type { Command } from './command.ts'

export const helo: Command = {
  name: 'HELO',
  doc: 'The client names itself; no extensions.',
  verb: 'HELO',
  nonmail: 'onceFree',
  groupable: false,
  proceed: (session, argument) => greet(session, argument, 'HELO'),
}

export const ehlo: Command = {
  name: 'EHLO',
  doc: 'The client names itself and asks for the extensions.',
  verb: 'EHLO',
  nonmail: 'onceFree',
  groupable: false,
  proceed: (session, argument) => greet(session, argument, 'EHLO'),
}

async function greet(session: Session, argument: ByteString, verb: 'HELO' | 'EHLO'): Promise<Next> {
  const { connection, settings, context } = session
  if (!validHelo(argument, settings.helo_allow_chars ?? '')) {
    if (!(await clientMatches(settings.helo_accept_junk_hosts, context)))
      return invalid(session, argument, verb)
  }
  connection.helo = argument
  connection.heloVerified = undefined
  connection.hostNameHidden = false
  await lookUpOwnName(session, argument)
  if (await clientMatches(settings.helo_verify_hosts, context, true)) {
    if (!(await verifyHelo(context))) return mismatch(session, argument, verb)
  } else if (await clientMatches(settings.helo_try_verify_hosts, context)) await verifyHelo(context)
  const result = await runAclOption(settings.acl_smtp_helo, 'helo', () => aclContext(session))
  if (result !== undefined) {
    const refusal = refusalOf(session, result, { what: `EHLO or HELO ${argument}` })
    if (refusal !== undefined) {
      const next = answerRefusal(session, refusal)
      // A message that was under way goes on, as does an earlier greeting: observed of Exim 4.96.
      connection.helo = undefined
      return next
    }
  }
  session.reset()
  // A greeting that is refused changes nothing: RFC 5321 section 4.1.4.
  session.offerNothing()
  session.heloSeen = true
  session.esmtp = verb === 'EHLO'
  connection.protocol = protocolName(session)
  const greeting = result?.userMessage ?? (await hello(session, argument))
  const first = greeting.replace(/^\d{3} /, '')
  const lines = verb === 'EHLO' ? [first, ...(await offerExtensions(session))] : [first]
  session.reply(250, lines.join('\n'))
  return 'continue'
}

/** `mx.example Hello client.example [192.0.2.1]`. */
async function hello(session: Session, argument: ByteString): Promise<ByteString> {
  const { connection } = session
  const ident = connection.ident
  const active = await activeHostname(session)
  if (connection.hostAddress === undefined) {
    return `${active} Hello ${ident === undefined || ident === '' ? 'local user' : ident} at ${connection.hostName ?? argument}`
  }
  const name = connection.hostName ?? argument
  return `${active} Hello ${ident === undefined || ident === '' ? '' : `${ident} at `}${name} [${connection.hostAddress}]`
}

async function activeHostname(session: Session): Promise<ByteString> {
  const text = await expandOption(session.settings.smtp_active_hostname, session.context)
  if (text !== undefined && text !== '') session.connection.activeHostname = text
  return session.connection.activeHostname
}

export function protocolName(session: Session): ByteString {
  const { connection } = session
  const local = connection.hostAddress === undefined ? 'local-' : ''
  if (!session.esmtp) return `${local}smtp${connection.tls === undefined ? '' : 's'}`
  const secure = connection.tls === undefined ? '' : 's'
  const authenticated = connection.authenticatedBy === undefined ? '' : 'a'
  return `${local}esmtp${secure}${authenticated}`
}

/** A client that gives our own name or address is looked up: `helo_lookup_domains`. */
async function lookUpOwnName(session: Session, argument: ByteString): Promise<void> {
  const { connection, settings, context } = session
  if (connection.hostName !== undefined || connection.hostAddress === undefined) return
  if (connection.hostLookup !== 'not done' || settings.helo_lookup_domains === undefined) return
  const result = await context.ports.matchList('domain', settings.helo_lookup_domains, argument, context)
  if (result.is === 'match') await context.ports.lookUpHostName(connection, context)
}

function invalid(session: Session, argument: ByteString, verb: string): Next {
  const shown = argument === '' ? '(no argument given)' : argument
  session.rejectLog(
    `rejected ${verb} from ${session.who(false)}: syntactically invalid argument(s): ${printable(shown, session.settings.print_topbitchars)}`,
    { event: 'smtp:rejected', what: verb },
  )
  session.reply(501, `Syntactically invalid ${verb} argument(s)`)
  return countError(session) ? 'close' : 'continue'
}

/** The name stays, so that later log lines tell which one it was: observed of Exim 4.96. */
function mismatch(session: Session, argument: ByteString, verb: string): Next {
  session.rejectLog(`rejected "${verb} ${argument}" from ${session.who(false)}`, {
    event: 'smtp:rejected',
    what: 'HELO',
  })
  session.reply(550, `${verb} argument does not match calling host`)
  return 'continue'
}
