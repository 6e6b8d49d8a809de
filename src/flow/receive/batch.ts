/**
 * Batched SMTP on standard input: commands without answers, only the non-SMTP ACLs, the first error ends the batch.
 * Source: Exim manual, "Incoming batched SMTP".
 */
import type { ByteString } from '../../base/text.ts'
import { parseAddress } from '../../mail/parse-address.ts'
import type { ConnectionFacts } from '../../ports.ts'
import { type ByteSource, LineReader } from '../../wire/line-reader.ts'
import { DataScanner } from '../../wire/smtp/data-scanner.ts'
import { recognise, splitParameters, type VerbForm } from '../../wire/smtp/grammar.ts'
import { addressOptions } from './address-options.ts'
import { MessageReceiver } from './body.ts'
import { commitSubmission } from './commit-submission.ts'
import { dataEnded, refuseBody } from './data-problems.ts'
import { expandInteger } from './matching.ts'
import { newMessage } from './message-facts.ts'
import { askNotSmtp, askNotSmtpStart } from './not-smtp-acl.ts'
import { originatorOf } from './pre-mail.ts'
import { prepareHeaders } from './prepare.ts'
import type { ReceiveServices } from './services.ts'
import { Session } from './session-state.ts'
import { maySetSender } from './trust.ts'
import { uucpLine } from './uucp.ts'

export interface BatchOutcome {
  /** 0; 1: an error after some messages were taken; 2: before any was. */
  readonly exitCode: 0 | 1 | 2
  /** For standard error and standard output, when something was wrong. */
  readonly stderr: ByteString
  readonly stdout: ByteString
}

/** `atCommand`: the last command is at fault, not the message after it. */
type Problem = { readonly is: 'problem'; readonly text: ByteString; readonly atCommand: boolean }

const forms: readonly VerbForm[] = [
  { verb: 'MAIL', colon: 'FROM:' },
  { verb: 'RCPT', colon: 'TO:' },
  { verb: 'DATA' },
  { verb: 'HELO' },
  { verb: 'EHLO' },
  { verb: 'RSET' },
  { verb: 'NOOP' },
  { verb: 'VRFY' },
  { verb: 'EXPN' },
  { verb: 'ETRN' },
  { verb: 'HELP' },
  { verb: 'QUIT' },
]
const lineLimitBytes = 16_384
/** A batch comes from a file or a pipe: no answer is awaited, so no time is set. */
const waitMs = 2_147_483_647

/** Reads a whole batch. Unless -oMr gave one, the connection's protocol becomes `local-bsmtp`. */
export async function receiveBatch(
  source: ByteSource,
  connection: ConnectionFacts,
  services: ReceiveServices,
): Promise<BatchOutcome> {
  // What -oMr says stays: a scanner that hands messages back is known by it.
  if (connection.protocol === 'local')
    connection.protocol = connection.hostAddress === undefined ? 'local-bsmtp' : 'bsmtp'
  const batch = new Batch(source, connection, services)
  return batch.run()
}

class Batch {
  readonly #session: Session
  readonly #reader: LineReader
  #line = 0
  #startedAt = 0
  #command = ''
  #taken = 0

  constructor(source: ByteSource, connection: ConnectionFacts, services: ReceiveServices) {
    this.#reader = new LineReader(source)
    this.#session = new Session(
      { reader: this.#reader, write() {}, flush() {}, end: () => Promise.resolve(), destroy() {} },
      connection,
      services,
    )
  }

  async run(): Promise<BatchOutcome> {
    for (;;) {
      const input = await this.#reader.line(lineLimitBytes, waitMs)
      if (input.is === 'end') break
      this.#line++
      this.#command = input.text
      const found = input.is === 'line' ? recognise(input.text, forms) : undefined
      if (found?.form.verb === 'QUIT') break
      const problem =
        found === undefined
          ? this.#problem('500 Command unrecognized')
          : await this.#perform(found.form.verb, found.argument)
      if (problem !== undefined) return this.#failed(problem)
    }
    return { exitCode: 0, stderr: '', stdout: '' }
  }

  #problem(text: ByteString, atCommand: boolean = true): Problem {
    return { is: 'problem', text, atCommand }
  }

  async #perform(verb: string, argument: ByteString): Promise<Problem | undefined> {
    switch (verb) {
      case 'MAIL':
        return this.#mail(argument)
      case 'RCPT':
        return this.#rcpt(argument)
      case 'DATA':
        return this.#data()
      case 'HELO':
      case 'EHLO':
        this.#session.connection.helo = argument
        return this.#reset()
      case 'RSET':
        return this.#reset()
      default:
        // NOOP, HELP and the questions ask nothing of a batch.
        return undefined
    }
  }

  #reset(): undefined {
    this.#session.reset()
    this.#startedAt = this.#line
  }

  async #mail(argument: ByteString): Promise<Problem | undefined> {
    const session = this.#session
    const { context, settings, connection } = session
    if (session.transaction !== undefined) return this.#problem('503 Sender already given')
    const { address } = splitParameters(argument, { SIZE: 'value', BODY: 'value' })
    const parsed = parseAddress(address, { ...addressOptions(settings, false), allowNull: true })
    if (parsed.is === 'error') return this.#problem(`501 ${parsed.message}`)
    const given =
      parsed.address === '' || parsed.domain !== ''
        ? parsed.address
        : `${parsed.address}@${context.server.qualifyDomain}`
    const message = newMessage({
      receivedAt: context.ports.now(),
      local: true,
      originator: originatorOf(session),
    })
    const own = `${connection.caller?.login ?? 'unknown'}@${context.server.qualifyDomain}`
    const chosen = await maySetSender(connection, given, context)
    const sender = chosen ? given : own
    setIdentity(connection, own)
    message.rawSender = sender
    message.local = !chosen
    message.sender = (await session.services.rewriting?.sender(sender, { ...context, message })) ?? sender
    session.transaction = {
      message,
      context: { ...context, message },
      recipients: [],
      rawSender: chosen ? parsed.address : sender,
      body8bitmime: 0,
      dsnRet: undefined,
      dsnEnvid: undefined,
      discarded: undefined,
    }
    return undefined
  }

  async #rcpt(argument: ByteString): Promise<Problem | undefined> {
    const session = this.#session
    const transaction = session.transaction
    if (transaction === undefined) return this.#problem('503 No sender yet given')
    const parsed = parseAddress(argument, addressOptions(session.settings, false))
    if (parsed.is === 'error') return this.#problem(`501 ${parsed.message}`)
    const raw =
      parsed.domain === '' ? `${parsed.address}@${session.context.server.qualifyRecipient}` : parsed.address
    const address = (await session.services.rewriting?.recipient(raw, transaction.context)) ?? raw
    transaction.recipients.push({ address, raw })
    transaction.message.recipients = transaction.recipients
    transaction.message.rcptCount++
    return undefined
  }

  async #data(): Promise<Problem | undefined> {
    const session = this.#session
    const transaction = session.transaction
    if (transaction === undefined) return this.#problem('503 MAIL FROM:<sender> command must precede DATA')
    if (transaction.recipients.length === 0) return this.#problem('503 RCPT TO:<recipient> must precede DATA')
    await askNotSmtpStart(session, transaction)
    const { settings, services } = session
    const receiver = new MessageReceiver(
      services.spool,
      {
        headerBytes: settings.header_maxsize,
        headerLineBytes: settings.header_line_maxsize,
        messageBytes: (await expandInteger(settings.message_size_limit, session.context)) ?? 0,
      },
      settings.ignore_fromline_local ? uucpLine(settings) : undefined,
    )
    const scanner = new DataScanner({ dots: 'stuffed', lenient: true })
    for (;;) {
      const piece = await this.#reader.piece(waitMs)
      if (typeof piece === 'string') {
        this.#line += receiver.headerDone ? linesOf(receiver) + 1 : linesOf(receiver) - 1
        dataEnded(session, receiver, piece)
        await receiver.abort()
        return this.#problem('421 Lost incoming connection', false)
      }
      const scanned = scanner.push(piece)
      await receiver.add(scanned)
      if (!scanned.done) continue
      this.#reader.unread(scanned.rest)
      break
    }
    await receiver.finish('')
    this.#line += linesOf(receiver) + 1
    return this.#finish(receiver)
  }

  async #finish(receiver: MessageReceiver): Promise<Problem | undefined> {
    const session = this.#session
    const transaction = session.transaction
    if (transaction === undefined) return undefined
    if (receiver.problem !== undefined) {
      const tooBig = receiver.problem.is === 'too-big'
      await refuseBody(session, receiver, receiver.problem)
      return this.#problem(
        tooBig ? '552 Message size exceeds maximum permitted' : '552 Message cannot be taken',
        false,
      )
    }
    const { incoming } = receiver
    if (incoming === undefined) throw new Error('a message ended before its header section')
    transaction.message.id = incoming.id
    const prepared = await prepareHeaders(session, transaction, receiver)
    if (prepared.is === 'problem') {
      await receiver.abort()
      return this.#problem('451 Temporary local problem - please try later', false)
    }
    return askNotSmtp(session, transaction, incoming, async (verdict) => {
      if (verdict.is === 'rejected') {
        await receiver.abort()
        return this.#problem(`550 ${verdict.told}`, false)
      }
      const outcome = await commitSubmission(session, transaction, receiver, prepared, [], verdict.discard)
      session.messageOver()
      if (outcome.is === 'refused') return this.#problem(`451 ${outcome.problem}`, false)
      this.#taken++
      this.#startedAt = this.#line
      return undefined
    })
  }

  #failed({ text, atCommand }: Problem): BatchOutcome {
    const command = atCommand ? this.#command : ''
    const stdout =
      `${text}\nTransaction started in line ${this.#startedAt}\n` +
      `Error detected in line ${this.#line}\n${atCommand ? `${this.#command}\n` : ''}`
    const stderr =
      'An error was detected while processing a file of BSMTP input.\nThe error message was:\n\n' +
      `  ${text}\n\nThe SMTP transaction started in line ${this.#startedAt}.\n` +
      `The error was detected in line ${this.#line}.\nThe SMTP command at fault was:\n\n   ${command}\n\n` +
      `${this.#taken} previous message${this.#taken === 1 ? ' was' : 's were'} successfully processed.\n` +
      'The rest of the batch was abandoned.\n'
    return { exitCode: this.#taken > 0 ? 1 : 2, stderr, stdout }
  }
}

/** The lines of a message, with the empty one after its headers. */
function linesOf(receiver: MessageReceiver): number {
  return receiver.bodyLines + receiver.headerText.split('\n').length
}

/** A trusted caller is nobody yet; another one is known by the login alone. */
function setIdentity(connection: ConnectionFacts, own: ByteString): void {
  const { caller } = connection
  if (caller?.trusted === true && connection.authenticatedId === caller.login)
    connection.authenticatedId = undefined
  if (connection.authenticatedSender === own) connection.authenticatedSender = undefined
}
