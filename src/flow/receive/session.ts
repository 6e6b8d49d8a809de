/**
 * One SMTP session, from the greeting to the last line of the log: for each command, check, then proceed.
 * The same over a socket, standard input, `-bh` and in tests.
 */
import { after, type Awaitable } from '../../base/outcome.ts'
import type { ByteString } from '../../base/text.ts'
import { duration } from '../../mail/log-lines.ts'
import type { ConnectionFacts } from '../../ports.ts'
import type { LineResult } from '../../wire/line-reader.ts'
import { recognise } from '../../wire/smtp/grammar.ts'
import { restMs } from './pace.ts'
import type { Command } from './commands/command.ts'
import { commands } from './commands/index.ts'
import { clientError, commandShown, raiseError } from './errors.ts'
import { welcome } from './greeting.ts'
import { clientMatches } from './matching.ts'
import { replyAtEnd, runNotQuit } from './not-quit.ts'
import type { Observer, ReceiveServices, SessionIo } from './services.ts'
import { type Next, Session } from './session-state.ts'
import { outOfStep, tooSoon } from './synchronisation.ts'

/** RFC 5321 section 4.5.3.1.4 asks for 512 bytes, RFC 4954 for 12288; Exim reads 16384. */
const commandLimitBytes = 16_384
/** So many commands of a proxy without a header are answered. */
const commandsWithoutProxy = 20

/** Runs a session to its end; resolves when the connection is closed. `lost`: the client did not end it. */
export async function runSession(
  io: SessionIo,
  connection: ConnectionFacts,
  services: ReceiveServices,
  observer?: Observer,
): Promise<{ readonly lost: boolean }> {
  const session = new Session(io, connection, services, observer)
  // A delay or a callout in an ACL may last: clients that grouped their commands get the answers so far.
  connection.dialogue = session
  try {
    let next = await welcome(session)
    session.send()
    // The loop is here, and a line that has not come is waited for without a function of its own: an idle
    // connection is one of thousands, and each async frame costs it half a kilobyte.
    let began = 0
    while (next === 'continue') {
      const input = io.reader.lineHere(commandLimitBytes)
      if (input === undefined) {
        const { begun } = io.reader
        const { commandTimeoutMs } = session
        io.reader.came(await io.reader.more(begun ? restMs(commandTimeoutMs, began) : commandTimeoutMs))
        if (!begun) began = performance.now()
      } else {
        const soon = obey(session, input)
        next = soon instanceof Promise ? await soon : soon
      }
    }
    session.send()
  } catch (error) {
    failed(session, error)
  } finally {
    await finish(session)
  }
  return { lost: session.brokenOff || /^connection-lost$|timeout$/.test(connection.notQuitReason) }
}

/** One line of the client, or the end of them. */
function obey(session: Session, input: LineResult): Awaitable<Next> {
  if (input.is === 'end') {
    return inputEnded(session, input)
  }
  session.context.debug?.('receive', `SMTP<< ${shownCommand(input.text.trimEnd())}`)
  session.watch?.command(shownCommand(input.text.trimEnd()))
  return after(
    input.is === 'part' ? performPart(session, input.text) : perform(session, input.text),
    (next) => {
      session.send()
      return next
    },
  )
}

/** A secret is not for everybody who reads what -d shows. */
function shownCommand(line: ByteString): ByteString {
  return line[0] !== 'A' && line[0] !== 'a' ? line : withoutSecret(line)
}

function withoutSecret(line: ByteString): ByteString {
  return line.replace(/^(AUTH\s+\S+)\s.*/i, '$1 ****')
}

/** A line longer than commands may be: the rest of it is thrown away. */
async function performPart(session: Session, text: ByteString): Promise<Next> {
  await skipLine(session)
  return perform(session, text, true)
}

/** One command: recognised, checked, done. */
function perform(session: Session, text: ByteString, isPart: boolean = false): Awaitable<Next> {
  const line = text.trimEnd()
  const { connection } = session
  connection.smtpCommand = line
  connection.smtpCommandArgument = ''
  if (connection.proxy?.failed === true && !/^quit$/i.test(line)) return withoutProxy(session)
  if (session.securityFailure && !/^quit$/i.test(line)) return afterSecurityFailure(session)
  if (isPart) return unrecognised(session)
  if (line.includes('\0')) return withNul(session, line)
  const found = recognise(line, commands)
  if (outOfStep(session, found?.form)) return tooSoon(session)
  return step(session, found?.form, found?.argument ?? '')
}

function step(session: Session, command: Command | undefined, argument: ByteString): Awaitable<Next> {
  const between = betweenChunks(session, command)
  if (between !== undefined) return between
  session.context.ports.count?.('commands_total', command?.name ?? 'unknown')
  session.afterRcpt = session.commandWasRcpt
  session.commandWasRcpt = command?.name === 'RCPT'
  if (command?.name !== 'RCPT') session.mailRefused = false
  if (command === undefined) return unrecognised(session)
  if (command.bare === true && argument !== '')
    return clientError(session, 'syntax', 501, 'unexpected argument data')
  return after(tooManyNonmail(session, command), (tooMany) => {
    if (tooMany) return 'close'
    session.connection.smtpCommandArgument = argument
    remember(session.connection, command.name)
    return command.proceed(session, argument)
  })
}

/** A proxy that sent no valid header is served nothing but QUIT. Source: Exim manual, "Inbound proxies". */
function withoutProxy(session: Session): Next {
  session.unknownCommands++
  session.reply(503, 'Command refused, required Proxy negotiation failed')
  if (session.unknownCommands < commandsWithoutProxy) return 'continue'
  session.ended = true
  session.lose('bad-commands')
  return 'close'
}

/** Source: Exim manual, "Configuring an Exim server to use TLS". */
function afterSecurityFailure(session: Session): Next {
  session.unknownCommands++
  session.reply(554, 'Security failure')
  if (session.unknownCommands < commandsWithoutProxy) return 'continue'
  session.ended = true
  session.lose('bad-commands')
  return 'close'
}

/** Between the chunks of a message little else has a meaning. Source: RFC 3030 section 2. */
function betweenChunks(session: Session, command: Command | undefined): Next | undefined {
  const chunks = session.chunks
  if (chunks === undefined || command?.name === 'RSET' || command?.name === 'QUIT') return undefined
  // The bytes of a chunk are never commands: BDAT takes them, and then says what is wrong.
  if (command?.name === 'BDAT') return undefined
  if (!chunks.failed && command?.name === 'NOOP') return undefined
  const text = chunks.failed ? 'only RSET accepted now' : 'only BDAT permissible after non-LAST BDAT'
  chunks.failed = true
  return clientError(session, 'protocol', 503, text)
}

/** The log shows the last twenty; no more are kept. */
function remember(connection: ConnectionFacts, name: string): void {
  // A new list is as long as it must be; one that grows has room for sixteen more, in each of thousands of sessions.
  connection.smtpCommandHistory = connection.smtpCommandHistory.slice(-20).concat(name)
}

/** Source: Exim manual, "Unrecognized SMTP commands". */
function unrecognised(session: Session): Awaitable<Next> {
  session.unknownCommands++
  if (session.unknownCommands <= session.settings.smtp_max_unknown_commands) {
    return clientError(session, 'syntax', 500, 'unrecognized command')
  }
  const command = commandShown(session)
  if (session.log.selects('smtp_syntax_error')) {
    session.mainLog(`SMTP syntax error in "${command}" ${session.who()} unrecognized command`, {
      event: 'smtp:syntax-error',
      command,
    })
  }
  raiseError(session, 'syntax', 'unrecognized command')
  session.ended = true
  session.lose('bad-commands')
  session.incomplete('unrecognized command')
  return after(replyAtEnd(session, 500, 'Too many unrecognized commands'), () => {
    session.rejectLog(
      `SMTP call from ${session.who(false)} dropped: too many unrecognized commands (last was "${command}")`,
      { event: 'smtp:dropped', why: 'unrecognised' },
    )
    return 'close'
  })
}

function withNul(session: Session, line: ByteString): Next {
  session.connection.smtpCommand = line.replaceAll('\0', '?')
  return clientError(
    session,
    'syntax',
    501,
    'NUL characters are not allowed in SMTP commands',
    "NUL character(s) present (shown as '?')",
  )
}

/** The rest of a line that is too long is thrown away. */
async function skipLine(session: Session): Promise<void> {
  for (;;) {
    const more = await session.io.reader.line(commandLimitBytes, session.commandTimeoutMs)
    if (more.is !== 'part') return
  }
}

/** Source: Exim manual, "Use of non-mail SMTP commands". */
function tooManyNonmail(session: Session, command: Command): Awaitable<boolean> {
  if (command.nonmail === false) return false
  const kind = command.name === 'EHLO' ? 'HELO' : command.name
  if (command.nonmail === 'onceFree' && session.isFree(kind)) return false
  session.nonmailCommands++
  const { settings, context } = session
  if (session.nonmailCommands <= settings.smtp_accept_max_nonmail) return false
  return after(clientMatches(settings.smtp_accept_max_nonmail_hosts, context, true), (counts) => {
    if (!counts) return false
    session.lose('bad-commands')
    session.reset('too many non-mail commands')
    session.ended = true
    session.brokenOff = true
    session.rejectLog(
      `SMTP call from ${session.who(false)} dropped: too many nonmail commands (last was "${command.name}")`,
      { event: 'smtp:dropped', why: 'nonmail' },
    )
    return after(replyAtEnd(session, 554, 'Too many nonmail commands'), () => true)
  })
}

/** No more commands come: the client went, was silent too long, or we stop. */
function inputEnded(session: Session, input: Extract<LineResult, { is: 'end' }>): Awaitable<Next> {
  const { connection, log } = session
  session.ended = true
  if (input.why === 'timeout') {
    session.lose('command-timeout')
    session.tellsNoMail = false
    session.reset('command timeout')
    if (log.selects('lost_incoming_connection')) {
      session.mainLog(`SMTP command timeout on connection from ${session.who(false)}`, {
        event: 'smtp:timeout',
      })
    }
    session.reply(421, `${connection.activeHostname}: SMTP command timeout - closing connection`)
    return 'close'
  }
  if (input.why === 'shutdown') {
    session.lose('signal-exit')
    session.reset('shutdown')
    if (session.logsConnection && log.selects('smtp_connection')) {
      session.mainLog(`SMTP connection from ${session.who(false)} closed after SIGTERM`, {
        event: 'smtp:close',
      })
    }
    session.reply(421, `${connection.activeHostname}: Service not available - closing connection`)
    return 'close'
  }
  session.lose('connection-lost')
  session.incomplete('connection lost')
  // Under TLS nothing follows the client's farewell.
  const told =
    connection.tls === undefined
      ? replyAtEnd(session, 421, `${connection.activeHostname} lost input connection`)
      : runNotQuit(session)
  return after<unknown, Next>(told, () => logLost(session))
}

function logLost(session: Session): Next {
  const { connection, log } = session
  const lasted = duration(session.context.ports.now() - connection.startedAt, log)
  if (session.transaction !== undefined) {
    session.reset('connection lost')
    if (log.selects('lost_incoming_connection')) {
      session.mainLog(
        `unexpected ${connection.hostAddress === undefined ? 'EOF' : 'disconnection'} while reading SMTP command from ${session.who(false)} D=${lasted}`,
        { event: 'smtp:lost' },
      )
    }
  } else if (session.logsConnection && log.selects('smtp_connection')) {
    session.mainLog(`SMTP connection from ${session.who(false)} lost D=${lasted}`, { event: 'smtp:lost' })
  }
  return 'close'
}

/** A fault of the program: the client may try again, the log says where. */
function failed(session: Session, error: unknown): void {
  session.ended = true
  session.lose('local-error')
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  session.log.panic(
    session.transaction?.message.id || undefined,
    `SMTP session failed: ${text.replaceAll('\n', ' ')}`,
  )
  session.unsay()
  session.reply(421, 'Internal error: closing connection')
  session.send()
}

/** What every session ends with, however it went. */
async function finish(session: Session): Promise<void> {
  try {
    await runNotQuit(session)
    session.reset()
    logNoMail(session)
  } catch (error) {
    session.log.panic(
      undefined,
      `end of SMTP session: ${error instanceof Error ? error.message : String(error)}`,
    )
  } finally {
    await session.io.end()
  }
}

function logNoMail(session: Session): void {
  if (session.connection.proxy?.healthCheck === true) return
  if (
    session.messagesStarted > 0 ||
    session.turnedAway ||
    !session.tellsNoMail ||
    !session.log.selects('smtp_no_mail')
  )
    return
  session.mainLog(`no MAIL in SMTP connection from ${session.who(false)}${session.noMailFields()}`, {
    event: 'smtp:no-mail',
    commands: session.connection.smtpCommandHistory.join(','),
  })
}
