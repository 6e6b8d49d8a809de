/** From the accepted connection to the banner. Source: Exim manual, "Incoming SMTP messages over TCP/IP". */
import { isFailure } from '../../base/outcome.ts'
import { textOf } from '../../base/text.ts'
import { chooseReply } from '../../wire/smtp/replies.ts'
import { answerRefusal, refusalOf, runAclOption } from './acl.ts'
import { showLists } from './shown-lists.ts'
import { askIdent } from './ident.ts'
import { clientMatches, expandInteger, expandTimeMs } from './matching.ts'
import { aclContext } from './pre-mail.ts'
import type { Next, Session } from './session-state.ts'
import { spokeFirst } from './synchronisation.ts'

/** Decides whether this client is talked to, and greets it. */
export async function welcome(session: Session): Promise<Next> {
  const { settings, context, connection } = session
  session.commandTimeoutMs =
    session.services.commandTimeoutMs ??
    (await expandTimeMs(settings.smtp_receive_timeout, context)) ??
    session.commandTimeoutMs
  session.messageSizeLimit = (await expandInteger(settings.message_size_limit, context)) ?? 0
  session.logsConnection =
    connection.proxy?.healthCheck !== true && !(await clientMatches(settings.hosts_connection_nolog, context))
  logConnection(session)
  if (connection.hostAddress !== undefined && (await clientMatches(settings.host_lookup, context))) {
    await context.ports.lookUpHostName(connection, context)
  }
  if (connection.kind === 'smtp' && (await clientMatches(settings.host_reject_connection, context, true))) {
    if (session.log.selects('connection_reject')) {
      session.rejectLog(`refused connection from ${session.who(false)} (host_reject_connection)`, {
        event: 'smtp:refused',
        decidedBy: undefined,
      })
    }
    session.reply(554, 'SMTP service not available')
    return turnAway(session)
  }
  // A proxy that did not send its header has no client whom we ever offered anything.
  session.pipeConnectAllowed =
    connection.proxy?.failed !== true &&
    (await clientMatches(settings.pipelining_advertise_hosts, context)) &&
    (await clientMatches(settings.pipelining_connect_advertise_hosts, context))
  await askIdent(session)
  await showLists(session, 'atConnection')
  return greet(session)
}

/** After XCLIENT: the connect ACL and the banner for the client that was told. */
export function welcomeAgain(session: Session): Promise<Next> {
  return greet(session)
}

/** The connect ACL and the banner. */
async function greet(session: Session): Promise<Next> {
  const { settings } = session
  const result = await runAclOption(settings.acl_smtp_connect, 'connect', () => aclContext(session))
  if (result !== undefined) {
    const refusal = refusalOf(session, result, {
      what: 'connection in "connect" ACL',
      inMainLog: session.log.selects('connection_reject'),
    })
    if (refusal !== undefined) {
      answerRefusal(session, refusal)
      return turnAway(session)
    }
  }
  await showLists(session, 'afterConnectAcl')
  // Input that has come by now was sent without waiting; let what is in the socket arrive.
  await new Promise((resolve) => setImmediate(resolve))
  if (spokeFirst(session)) return 'close'
  const chosen = result?.userMessage
  if (chosen !== undefined && chosen !== '') {
    const reply = chooseReply(chosen, 220)
    session.reply(reply.code, reply.text)
    return 'continue'
  }
  return banner(session)
}

async function banner(session: Session): Promise<Next> {
  const text = await session.context.ports.expand(session.settings.smtp_banner, session.context)
  if (isFailure(text)) {
    session.log.panic(
      undefined,
      `Expansion of "${session.settings.smtp_banner.text}" (smtp_banner) failed: ${text.message}`,
    )
    session.reply(451, 'Temporary local problem - please try later')
    return turnAway(session)
  }
  session.reply(220, textOf(text))
  return 'continue'
}

/** Refused before the dialogue began: its own line says so, no other follows. */
function turnAway(session: Session): Next {
  session.ended = true
  session.turnedAway = true
  return 'close'
}

function logConnection(session: Session): void {
  if (!session.logsConnection || !session.log.selects('smtp_connection')) return
  const { connection } = session
  const count =
    connection.kind === 'smtp' && connection.countAtStart > 0
      ? ` (TCP/IP connection count = ${connection.countAtStart})`
      : ''
  session.mainLog(`SMTP connection from ${session.who(false)}${count}`, {
    event: 'smtp:connect',
    host: connection.hostAddress,
    port: connection.hostPort,
  })
}
