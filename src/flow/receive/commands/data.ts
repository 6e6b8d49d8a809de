/** DATA and BDAT: the message itself. Source: RFC 5321 section 4.1.1.4, RFC 3030. */
import type { ByteString } from '../../../base/text.ts'
import { DataScanner } from '../../../wire/smtp/data-scanner.ts'
import { parseBdat } from '../../../wire/smtp/grammar.ts'
import { answerAccepted, answerRefusal, refusalOf, runAclOption } from '../acl.ts'
import { MessageReceiver } from '../body.ts'
import { clientError } from '../errors.ts'
import { beginChecks } from '../../../policy/msgauth/content-checks.ts'
import { dataEnded, type DataEnd, refuseBody } from '../data-problems.ts'
import { finishMessage } from '../finish.ts'
import { clientMatches } from '../matching.ts'
import { showLists } from '../shown-lists.ts'
import { Pace } from '../pace.ts'
import { preMailControls } from '../pre-mail.ts'
import type { Next, Session, Transaction } from '../session-state.ts'
import { outOfStep, tooSoon } from '../synchronisation.ts'
import { uucpLine } from '../uucp.ts'
import type { Command } from './command.ts'

export const data: Command = {
  name: 'DATA',
  doc: 'Sends the message, ended by a line with a dot.',
  verb: 'DATA',
  bare: true,
  nonmail: false,
  groupable: false,
  async proceed(session) {
    const transaction = session.transaction
    if (transaction === undefined || !hasRecipients(transaction)) return noRecipients(session, 'DATA')
    if (tooManyWereNamed(session)) return refuseForTooMany(session)
    const result = await runAclOption(session.settings.acl_smtp_predata, 'predata', transaction.context)
    if (result !== undefined) {
      const refusal = refusalOf(session, result, { what: 'DATA' })
      if (refusal !== undefined) return answerRefusal(session, refusal)
    }
    answerAccepted(session, result, 354, 'Enter message, ending with "." on a line by itself')
    if (outOfStep(session, data)) return tooSoon(session)
    session.send()
    session.io.flush()
    const receiver = await newReceiver(session, transaction)
    const scanner = new DataScanner({ dots: 'stuffed', lenient: session.lenientLines })
    return orNothing(receiver, async () => {
      const end = await readToDot(session, receiver, scanner)
      if (end !== 'done') {
        await receiver.abort()
        return dataEnded(session, receiver, end)
      }
      return take(session, transaction, receiver, false)
    })
  },
}

export const bdat: Command = {
  name: 'BDAT',
  doc: 'Sends a piece of the message, its size told before.',
  verb: 'BDAT',
  nonmail: false,
  groupable: 'always',
  async proceed(session, argument) {
    if (!session.offers('CHUNKING')) {
      return clientError(session, 'protocol', 503, 'BDAT command used when CHUNKING not advertised')
    }
    const chunk = parseBdat(argument)
    if (chunk.is === 'missing-size')
      return clientError(session, 'protocol', 501, 'missing size for BDAT command')
    const refused =
      chunk.is === 'not-last'
        ? () => clientError(session, 'protocol', 501, 'missing LAST for BDAT command')
        : chunkRefused(session)
    if (refused !== undefined) {
      // The chunk comes all the same, and is no command: RFC 3030 section 2.
      const end = await skipBytes(session, chunk.size)
      return end === 'done' ? refused() : dataEnded(session, undefined, end)
    }
    return takeChunk(session, chunk.size, chunk.is === 'chunk' && chunk.last)
  },
}

function hasRecipients(transaction: Transaction): boolean {
  return transaction.recipients.length > 0 || transaction.threwAway === true
}

/** Source: Exim manual, `recipients_max_reject`: the whole message is refused. */
function tooManyWereNamed(session: Session): boolean {
  return session.recipientsMaxLogged && session.settings.recipients_max_reject
}

function refuseForTooMany(session: Session): Next {
  session.reset()
  session.reply(554, 'Too many recipients')
  return 'continue'
}

function noRecipients(session: Session, verb: string): Next {
  const error = session.rcptError
  const reason =
    error === undefined || session.rcptErrorsDiffer || oneLineOnly(session)
      ? ''
      : `All RCPT commands were rejected with this error:\n${error}\n`
  if (session.dataExcused) {
    session.reply(503, `${reason}Valid RCPT command must precede ${verb}`)
    return 'continue'
  }
  const plain = `valid RCPT command must precede ${verb}`
  return clientError(session, 'protocol', 503, `${reason}${plain}`, plain)
}

/** `control = no_multiline_responses`. */
function oneLineOnly(session: Session): boolean {
  return (session.transaction?.message.controls ?? preMailControls(session))?.noMultilineResponses === true
}

async function newReceiver(session: Session, transaction: Transaction): Promise<MessageReceiver> {
  const { settings, context } = session
  await showLists(session, 'atData')
  const uucp =
    session.remote || session.connection.kind === 'smtp'
      ? await clientMatches(settings.ignore_fromline_hosts, context)
      : settings.ignore_fromline_local
  return new MessageReceiver(
    session.services.spool,
    {
      headerBytes: settings.header_maxsize,
      headerLineBytes: settings.header_line_maxsize,
      messageBytes: session.messageSizeLimit,
    },
    uucp ? uucpLine(settings) : undefined,
    (headerText) => beginChecks(headerText, transaction.context),
  )
}

async function readToDot(
  session: Session,
  receiver: MessageReceiver,
  scanner: DataScanner,
): Promise<DataEnd | 'done'> {
  const reader = session.io.reader
  const pace = new Pace(session.commandTimeoutMs)
  for (;;) {
    const piece = await reader.piece(pace.waitMs())
    if (typeof piece === 'string') return piece
    pace.took(piece.length)
    const scanned = scanner.push(piece)
    const wait = receiver.add(scanned)
    if (wait !== undefined) await wait
    if (!scanned.done) continue
    reader.unread(scanned.rest)
    await receiver.finish('')
    return 'done'
  }
}

async function take(
  session: Session,
  transaction: Transaction,
  receiver: MessageReceiver,
  chunking: boolean,
  before: ByteString = '',
): Promise<Next> {
  if (receiver.problem !== undefined) {
    const next = await refuseBody(session, receiver, receiver.problem)
    session.messageOver()
    return next
  }
  const next = await finishMessage(session, transaction, receiver, { chunking, before })
  session.messageOver()
  return next
}

/** Why a chunk is not taken: answered once it has been read. */
function chunkRefused(session: Session): (() => Next) | undefined {
  if (session.chunks?.failed === true) {
    return () => clientError(session, 'protocol', 503, 'only RSET accepted now')
  }
  if (session.chunks !== undefined) return undefined
  const transaction = session.transaction
  if (transaction === undefined || !hasRecipients(transaction)) return () => noRecipients(session, 'BDAT')
  if (tooManyWereNamed(session)) return () => refuseForTooMany(session)
  // `acl_smtp_predata` is about DATA alone: Exim manual, "The SMTP DATA ACLs".
  return undefined
}

async function takeChunk(session: Session, size: number, last: boolean): Promise<Next> {
  const transaction = session.transaction
  if (transaction === undefined) return noRecipients(session, 'BDAT')
  session.chunks ??= {
    receiver: await newReceiver(session, transaction),
    scanner: new DataScanner({ dots: 'none', lenient: session.lenientLines }),
    bytes: 0,
    failed: false,
  }
  const { receiver, scanner } = session.chunks
  session.chunks.bytes += size
  const end = await readChunk(session, receiver, scanner, size)
  if (end !== 'done') {
    await receiver.abort()
    return dataEnded(session, receiver, end)
  }
  if (receiver.incoming !== undefined) transaction.message.id = receiver.incoming.id
  if (!last && receiver.problem === undefined) {
    session.reply(250, `${size} byte chunk received`)
    return 'continue'
  }
  let total = session.chunks.bytes
  const held = scanner.finish()
  if ((receiver.inLine || total === 0) && held === '') total += 2
  await receiver.finish(held)
  session.chunks = undefined
  return orNothing(receiver, () =>
    take(session, transaction, receiver, true, ` ${size} byte chunk, total ${total}\n`),
  )
}

/** A message that meets a fault leaves no file and no descriptor behind. */
async function orNothing(receiver: MessageReceiver, taking: () => Promise<Next>): Promise<Next> {
  try {
    return await taking()
  } catch (error) {
    await receiver.abort()
    throw error
  }
}

async function readChunk(
  session: Session,
  receiver: MessageReceiver,
  scanner: DataScanner,
  size: number,
): Promise<DataEnd | 'done'> {
  const reader = session.io.reader
  let left = size
  const pace = new Pace(session.commandTimeoutMs)
  while (left > 0) {
    const piece = await reader.piece(pace.waitMs())
    if (typeof piece === 'string') return piece
    pace.took(piece.length)
    const part = piece.length > left ? piece.subarray(0, left) : piece
    if (part.length < piece.length) reader.unread(piece.subarray(left))
    left -= part.length
    const wait = receiver.add(scanner.push(part))
    if (wait !== undefined) await wait
  }
  return 'done'
}

async function skipBytes(session: Session, size: number): Promise<DataEnd | 'done'> {
  const reader = session.io.reader
  let left = size
  const pace = new Pace(session.commandTimeoutMs)
  while (left > 0) {
    const piece = await reader.piece(pace.waitMs())
    if (typeof piece === 'string') return piece
    pace.took(piece.length)
    if (piece.length > left) reader.unread(piece.subarray(left))
    left -= Math.min(piece.length, left)
  }
  return 'done'
}
