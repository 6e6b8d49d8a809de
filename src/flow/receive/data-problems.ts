/** When the message itself cannot be taken: its end did not come, it is too big, the disk refuses. */
import { hostAndIdent } from '../../mail/log-lines.ts'
import type { InputEnd } from '../../wire/line-reader.ts'
import { type BodyProblem, type MessageReceiver, mostHeaders } from './body.ts'
import { rejectDetail } from './reject-detail.ts'
import type { Next, Session } from './session-state.ts'

export type DataEnd = InputEnd

/** The client is gone or silent in the middle of the message. */
export function dataEnded(session: Session, receiver: MessageReceiver | undefined, end: DataEnd): Next {
  session.ended = true
  const { connection } = session
  const id = receiver?.incoming?.id
  const sender = session.transaction?.message.sender ?? ''
  // These two lines carry no interface: so it was observed.
  const host = hostAndIdent({ ...connection, interfaceAddress: undefined }, session.log, false)
  if (end === 'timeout') {
    session.lose('data-timeout')
    session.log.main(id, `SMTP data timeout (message abandoned) on connection from ${host} F=<${sender}>`, {
      event: 'smtp:data-timeout',
    })
    session.reply(421, `${connection.activeHostname} SMTP incoming data timeout - closing connection.`)
  } else if (end === 'shutdown') {
    session.lose('signal-exit')
    session.log.main(id, `SMTP connection from ${session.who(false)} closed after SIGTERM`, {
      event: 'smtp:close',
    })
    session.reply(421, `${connection.activeHostname}: Service not available - closing connection`)
  } else {
    session.lose('connection-lost')
    const where = placeInMessage(receiver)
    if (session.log.selects('lost_incoming_connection')) {
      session.log.main(
        undefined,
        `SMTP connection from ${session.who(false)} lost while reading message data${where}`,
        { event: 'smtp:lost' },
      )
    }
    session.reply(421, 'Lost incoming connection')
  }
  session.reset()
  return 'close'
}

/** Where in the message the client went; so it was observed. */
function placeInMessage(receiver: MessageReceiver | undefined): string {
  if (receiver === undefined || receiver.headerDone) return ''
  return receiver.headerText === '' || receiver.inLine ? ' (header)' : ' (after header)'
}

/** The whole message has been read, and cannot be taken. */
export async function refuseBody(
  session: Session,
  receiver: MessageReceiver,
  problem: BodyProblem,
): Promise<Next> {
  const id = receiver.incoming?.id
  await receiver.abort()
  const client = { ...session.connection, interfaceAddress: undefined }
  const host = hostAndIdent(client, session.log, false)
  const { settings } = session
  switch (problem.is) {
    case 'header-line-too-long':
      session.log.main(
        undefined,
        `overlong message header line received from ${host} (more than ${settings.header_line_maxsize} characters): message abandoned`,
        { event: 'smtp:rejected', what: 'header-line' },
      )
      session.reply(552, 'A message header line is too long')
      return 'continue'
    case 'header-too-long':
      session.log.main(
        undefined,
        `ridiculously long message header received from ${host} (more than ${settings.header_maxsize} characters): message abandoned`,
        { event: 'smtp:rejected', what: 'header' },
      )
      session.reply(552, 'Message header is ridiculously long')
      return 'continue'
    case 'too-many-headers':
      session.log.main(
        undefined,
        `too many message headers received from ${host} (more than ${mostHeaders}): message abandoned`,
        { event: 'smtp:rejected', what: 'header-count' },
      )
      session.reply(552, 'Message has too many headers')
      return 'continue'
    case 'too-big':
      session.log.reject(
        id,
        `rejected from <${session.transaction?.message.sender ?? ''}> ${hostAndIdent(client, session.log, true)}: message too big: read=${receiver.sizeBytes} max=${receiver.limit}`,
        {
          main: session.log.selects('size_reject'),
          detail: rejectDetail(session, receiver.headerText, undefined) ?? [],
          facts: { event: 'smtp:rejected', what: 'size' },
        },
      )
      session.reply(552, 'Message size exceeds maximum permitted')
      return 'continue'
    case 'spool':
      session.log.panic(id, `spool: ${problem.error.message}`, {
        event: 'spool:error',
        code: problem.error.code,
      })
      if (problem.error.code === 'full') session.reply(452, 'Space shortage, please try later')
      else session.reply(451, 'Error while writing spool file')
      return 'continue'
  }
}
