/**
 * A message handed over by a local program, as `sendmail` takes it: recipients as arguments or from the headers,
 * the text on standard input. Source: Exim manual, "The Exim command line" (-t, -i, -f, -F, -oe..., -bnq).
 */
import type { ByteString } from '../../base/text.ts'
import type { Header } from '../../mail/envelope.ts'
import { splitHeaders } from '../../mail/header.ts'
import { parseAddress } from '../../mail/parse-address.ts'
import type { AclResult, ConnectionFacts } from '../../ports.ts'
import type { SpooledMessage } from '../../store/spool/api.ts'
import { LineReader, type ByteSource } from '../../wire/line-reader.ts'
import { DataScanner } from '../../wire/smtp/data-scanner.ts'
import { addressOptions } from './address-options.ts'
import { MessageReceiver, mostHeaders } from './body.ts'
import { commitSubmission } from './commit-submission.ts'
import { type LocalError, reportByMail } from './error-report.ts'
import { type HeaderRecipients, recipientsFromHeaders, splitRecipients } from './local-recipients.ts'
import { expandInteger } from './matching.ts'
import { newMessage } from './message-facts.ts'
import { askNotSmtp, askNotSmtpStart } from './not-smtp-acl.ts'
import { originatorOf } from './pre-mail.ts'
import { type Prepared, prepareHeaders } from './prepare.ts'
import { rejectDetail } from './reject-detail.ts'
import type { Accepted, ReceiveServices, SessionIo } from './services.ts'
import { Session, type Transaction } from './session-state.ts'
import { spoolHasRoom } from './space.ts'
import { maySetSender } from './trust.ts'
import { uucpLine } from './uucp.ts'

export interface LocalSubmission {
  readonly source: ByteSource
  /** Kind `local`, with `caller`, and what the `-oM...` options said. */
  readonly connection: ConnectionFacts
  /** The arguments; each may hold several addresses. */
  readonly recipients: readonly ByteString[]
  /** `-t`. */
  readonly fromHeaders: boolean
  /** A line with a dot ends the message: not `-i`, not `-oi`. */
  readonly dotEnds: boolean
  /** `-f` or `-r`, as given; undefined: the caller's own address. */
  readonly sender: ByteString | undefined
  /** `-F`. */
  readonly fullName: ByteString | undefined
  /** `-G`: nothing is completed or added in the headers. */
  readonly gateway?: boolean
  /** False with `-bnq`. */
  readonly qualify: boolean
  /** `-oem` (default), `-oee`: by mail; `-oep`: on standard error. */
  readonly errors: 'mail' | 'mail-zero' | 'print'
  /** Longest silence on standard input, milliseconds; 0: no limit. `receive_timeout`. */
  readonly timeoutMs: number
}

export interface LocalOutcome {
  readonly exitCode: number
  /** For standard error, without line end. */
  readonly problem?: ByteString
  /** Committed; `accepted` has been called for it. */
  readonly message?: SpooledMessage
  readonly how?: Accepted
}

/** A timer of Node holds at most this; longer waits are as good as none. */
const longestWaitMs = 2_147_483_647

/** Takes one message from a local program. */
export async function receiveLocal(
  submission: LocalSubmission,
  services: ReceiveServices,
): Promise<LocalOutcome> {
  const session = new Session(silentIo(submission.source), submission.connection, services)
  const start = await begin(session, submission)
  if ('exitCode' in start) return start
  const { settings } = session
  const receiver = new MessageReceiver(
    services.spool,
    {
      headerBytes: settings.header_maxsize,
      headerLineBytes: settings.header_line_maxsize,
      messageBytes: (await expandInteger(settings.message_size_limit, session.context)) ?? 0,
    },
    uucpLine(settings),
  )
  if (!(await readAll(session, submission, receiver))) {
    await receiver.abort()
    return { exitCode: 1, problem: 'exim: timed out while reading message: message abandoned' }
  }
  return finishLocal({ session, submission, services, receiver, transaction: start })
}

/** Sender and argument recipients, checked before anything is read. */
async function begin(session: Session, submission: LocalSubmission): Promise<Transaction | LocalOutcome> {
  const { settings, context, connection } = session
  const options = addressOptions(settings, false)
  const message = newMessage({
    receivedAt: context.ports.now(),
    local: true,
    originator: originatorOf(session),
  })
  const own = ownAddress(session)
  let sender = own
  if (submission.sender !== undefined) {
    const given = readSender(submission.sender, options, context.server.qualifyDomain)
    if ('problem' in given) {
      return { exitCode: 1, problem: `exim: bad -f address "${submission.sender}": ${given.problem}` }
    }
    if (await maySetSender(connection, given.address, context)) sender = given.address
  }
  message.rawSender = sender
  message.sender = (await session.services.rewriting?.sender(sender, { ...context, message })) ?? sender
  message.local = sender === own
  message.controls.suppressLocalFixups = submission.gateway === true
  setOwnIdentity(connection, own, sender === own)
  const transaction: Transaction = {
    message,
    context: { ...context, message },
    recipients: [],
    rawSender: sender,
    body8bitmime: 0,
    dsnRet: undefined,
    dsnEnvid: undefined,
    discarded: undefined,
  }
  session.transaction = transaction
  // A bad argument is an end before the beginning: observed of Exim 4.96.
  const asked = takeArguments(session, submission)
  if (asked.bad === undefined) {
    if (!(submission.fromHeaders && settings.extract_addresses_remove_arguments))
      message.recipients = asked.addresses
    await askNotSmtpStart(session, transaction)
  }
  return (await spoolHasRoom(session, 0))
    ? transaction
    : { exitCode: 1, problem: 'exim: insufficient disk space' }
}

/** A local caller counts as authenticated under the own name, unless a trusted one chose another sender. */
function setOwnIdentity(connection: ConnectionFacts, own: ByteString, asSelf: boolean): void {
  const { caller } = connection
  const isOwn = asSelf || caller?.trusted === false
  // What -oMai and -oMas said stays.
  if ((connection.authenticatedId ?? caller?.login) === caller?.login)
    connection.authenticatedId = isOwn ? caller?.login : undefined
  if ((connection.authenticatedSender ?? own) === own)
    connection.authenticatedSender = isOwn ? own : undefined
}

function readSender(
  text: ByteString,
  options: ReturnType<typeof addressOptions>,
  qualifyDomain: ByteString,
): { readonly address: ByteString } | { readonly problem: ByteString } {
  if (text === '' || text === '<>') return { address: '' }
  const parsed = parseAddress(text, { ...options, allowNull: true })
  if (parsed.is === 'error') return { problem: parsed.message }
  if (parsed.address === '' || parsed.domain !== '') return { address: parsed.address }
  return { address: `${parsed.address}@${qualifyDomain}` }
}

function ownAddress(session: Session): ByteString {
  return `${session.connection.caller?.login ?? 'unknown'}@${session.context.server.qualifyDomain}`
}

async function readAll(
  session: Session,
  submission: LocalSubmission,
  receiver: MessageReceiver,
): Promise<boolean> {
  const scanner = new DataScanner({ dots: submission.dotEnds ? 'end' : 'none', lenient: true })
  const reader = session.io.reader
  const timeout = submission.timeoutMs > 0 ? submission.timeoutMs : longestWaitMs
  for (;;) {
    const piece = await reader.piece(timeout)
    if (piece === 'timeout' || piece === 'reset' || piece === 'shutdown') return false
    if (piece === 'closed') {
      await receiver.finish(scanner.finish())
      return true
    }
    const scanned = scanner.push(piece)
    await receiver.add(scanned)
    if (!scanned.done) continue
    await receiver.finish('')
    return true
  }
}

/** What the last steps work on. */
interface Work {
  readonly session: Session
  readonly submission: LocalSubmission
  readonly services: ReceiveServices
  readonly receiver: MessageReceiver
  readonly transaction: Transaction
}

async function finishLocal(work: Work): Promise<LocalOutcome> {
  const { session, submission, receiver, transaction } = work
  if (receiver.problem !== undefined) return tooMuch(work)
  const incoming = receiver.incoming
  if (incoming === undefined) throw new Error('a message ended before its header section')
  const { message } = transaction
  message.id = incoming.id
  await applyUucpSender(work)
  const asked = takeArguments(session, submission)
  if (asked.bad !== undefined) {
    return refuse(work, { is: 'bad-argument', address: asked.bad.text, problem: asked.bad.problem })
  }
  const found = await chooseRecipients(work, asked.addresses)
  const prepared = await prepareHeaders(session, transaction, receiver, {
    notSmtp: true,
    fullName: nameOf(submission, session.connection.caller?.trusted ?? true),
    qualify: submission.qualify,
    headers: found.headers,
  })
  if (prepared.is === 'problem') {
    await receiver.abort()
    session.log.panic(message.id, prepared.problem)
    return { exitCode: 1, problem: `exim: ${prepared.problem}` }
  }
  const outcomeOfHeaders = await headerProblems(work, found)
  if (outcomeOfHeaders !== undefined) return outcomeOfHeaders
  return askNotSmtp(session, transaction, incoming, (verdict) =>
    verdict.is === 'rejected'
      ? refuse(work, { is: 'acl', problem: verdict.told })
      : commitLocal(work, prepared, found.done, verdict.discard),
  )
}

async function commitLocal(
  { session, receiver, transaction }: Work,
  prepared: Extract<Prepared, { is: 'ready' }>,
  done: readonly ByteString[],
  discard: AclResult | undefined,
): Promise<LocalOutcome> {
  const outcome = await commitSubmission(session, transaction, receiver, prepared, done, discard)
  if (outcome.is === 'refused') return { exitCode: 1, problem: `exim: ${outcome.problem}` }
  // No message came of it: observed of Exim 4.96.
  return outcome.is === 'discarded'
    ? { exitCode: 1 }
    : { exitCode: 0, message: outcome.message, how: outcome.how }
}

/** The name for a created From: line: `-F`, or none when a trusted caller chose the sender by `-f`. */
function nameOf(submission: LocalSubmission, trusted: boolean): ByteString | undefined {
  return submission.fullName ?? (submission.sender !== undefined && trusted ? '' : undefined)
}

/** A trusted caller's `From ` line names the sender, unless `-f` does. */
async function applyUucpSender(work: Work): Promise<void> {
  const { receiver, submission, transaction, session } = work
  const said = receiver.uucpSender
  if (said === undefined || submission.sender !== undefined) return
  if (submission.connection.caller?.trusted !== true) return
  const { settings, context } = session
  const text = await context.ports.expand(settings.uucp_from_sender, { ...context, captures: [said, said] })
  if (typeof text !== 'string' && !('text' in text)) return
  const plain = typeof text === 'string' ? text : text.text
  const given = readSender(plain, addressOptions(settings, false), context.server.qualifyDomain)
  if ('problem' in given) return
  const { message } = transaction
  message.rawSender = given.address
  message.sender =
    (await session.services.rewriting?.sender(given.address, transaction.context)) ?? given.address
  transaction.message.local = false
  submission.connection.authenticatedSender = undefined
}

interface Arguments {
  readonly addresses: readonly { readonly raw: ByteString; readonly address: ByteString }[]
  readonly bad: { readonly text: ByteString; readonly problem: ByteString } | undefined
}

function takeArguments(session: Session, submission: LocalSubmission): Arguments {
  const { server } = session.context
  // Who writes a domain literal on the command line means it: Exim takes it whatever allow_domain_literals says.
  const options = { ...addressOptions(session.settings, false), allowDomainLiterals: true }
  const addresses: { raw: ByteString; address: ByteString }[] = []
  for (const text of submission.recipients.flatMap(splitRecipients)) {
    const parsed = parseAddress(text, options)
    if (parsed.is === 'error') return { addresses, bad: { text, problem: parsed.message } }
    if (parsed.domain === '' && !submission.qualify) {
      return { addresses, bad: { text, problem: 'unqualified recipient address not allowed' } }
    }
    const address = parsed.domain === '' ? `${parsed.address}@${server.qualifyRecipient}` : parsed.address
    addresses.push({ raw: parsed.address, address })
  }
  return { addresses, bad: undefined }
}

interface Chosen {
  /** Cut, with Bcc: marked as removed under `-t`. */
  readonly headers: readonly Header[]
  /** Arguments that `-t` takes away from the recipients. */
  readonly done: readonly ByteString[]
  /** What the headers gave, under `-t`. */
  readonly fromHeaders: HeaderRecipients | undefined
  readonly count: number
}

/** Fills in the transaction's recipients: the arguments, or with `-t` what the headers say without the arguments. */
async function chooseRecipients(work: Work, asked: Arguments['addresses']): Promise<Chosen> {
  const { session, submission, transaction, receiver } = work
  const { message } = transaction
  const headers = splitHeaders(receiver.headerText)
  const found = submission.fromHeaders
    ? recipientsFromHeaders(headers, {
        options: addressOptions(session.settings, false),
        qualifyRecipient: submission.qualify ? session.context.server.qualifyRecipient : undefined,
      })
    : undefined
  const removes = found !== undefined && session.settings.extract_addresses_remove_arguments
  const removed = new Set(removes ? asked.map((one) => withLowerDomain(one.address)) : [])
  const left = found?.addresses.filter((one) => !removed.has(withLowerDomain(one.address))) ?? []
  const chosen = removes ? left : [...asked, ...left]
  for (const one of chosen) {
    const address =
      (await session.services.rewriting?.recipient(one.address, transaction.context)) ?? one.address
    transaction.recipients.push({ address, raw: one.raw })
  }
  message.recipients = transaction.recipients
  message.rcptCount = transaction.recipients.length
  return {
    headers: found?.headers ?? headers,
    done: removes ? asked.map((one) => one.address) : [],
    fromHeaders: found,
    count: chosen.length,
  }
}

/** Local parts may differ in case alone. */
function withLowerDomain(address: ByteString): ByteString {
  const at = address.lastIndexOf('@')
  return address.slice(0, at) + address.slice(at).toLowerCase()
}

async function headerProblems(work: Work, chosen: Chosen): Promise<LocalOutcome | undefined> {
  const { session, transaction } = work
  const found = chosen.fromHeaders
  if (found === undefined) return undefined
  const id = transaction.message.id
  if (found.bad.length > 0) {
    session.log.panic(id, `${id} bad addresses found in headers`)
    const error: LocalError = { is: 'bad-headers', bad: found.bad, others: chosen.count > 0 }
    if (work.submission.errors === 'print' || chosen.count === 0) return refuse(work, error)
    await reportByMail(work.session, work.transaction, work.receiver, error)
    return undefined
  }
  if (chosen.count > 0) return undefined
  session.log.panic(id, `${id} no recipients found in headers`)
  return refuse(work, { is: found.addresses.length > 0 ? 'all-overridden' : 'no-recipients' })
}

/** Tells the caller why the message goes nowhere, in the way `-oe...` asks for. */
async function refuse(work: Work, error: LocalError): Promise<LocalOutcome> {
  const { session, transaction, receiver, submission } = work
  if (submission.errors === 'print') {
    await receiver.abort()
    return { exitCode: 1, problem: printed(error) }
  }
  const sent = await reportByMail(session, transaction, receiver, error)
  await receiver.abort()
  return { exitCode: sent && submission.errors === 'mail-zero' ? 0 : 1 }
}

function printed(error: LocalError): ByteString {
  switch (error.is) {
    case 'bad-argument':
      return `exim: bad recipient address "${error.address}": ${error.problem}`
    case 'bad-headers':
      return (
        (error.bad.length === 1 ? 'exim: invalid address:' : 'exim: invalid addresses:\n') +
        error.bad.map((one) => `  ${one.text}: ${one.problem}`).join('\n')
      )
    case 'no-recipients':
      return 'exim: no recipients in message'
    case 'all-overridden':
      return 'exim: all -t recipients overridden by command line'
    case 'acl':
      return `exim: message rejected by non-SMTP ACL: ${error.problem}`
    case 'too-big':
      return `exim: message rejected: message too big (max=${error.limit})`
  }
}

async function tooMuch(work: Work): Promise<LocalOutcome> {
  const { session, receiver, transaction } = work
  const problem = receiver.problem
  const { settings } = session
  if (problem?.is === 'spool') {
    await receiver.abort()
    session.log.panic(undefined, `spool: ${problem.error.message}`)
    return { exitCode: 1, problem: `exim: spool: ${problem.error.message}` }
  }
  if (problem?.is === 'too-big') {
    session.log.reject(
      receiver.incoming?.id,
      `rejected from <${transaction.message.sender ?? ''}> ${session.who()}: message too big: read=${receiver.sizeBytes} max=${receiver.limit}`,
      { detail: rejectDetail(session, receiver.headerText, undefined) ?? [] },
    )
    return refuse(work, { is: 'too-big', limit: receiver.limit })
  }
  await receiver.abort()
  if (problem?.is === 'too-many-headers') {
    session.log.main(
      undefined,
      `too many message headers received from ${session.who(false)} (more than ${mostHeaders}): message abandoned`,
    )
    return {
      exitCode: 1,
      problem: `exim: more than ${mostHeaders} message headers received: message not accepted`,
    }
  }
  const line = problem?.is === 'header-line-too-long'
  const most = line ? settings.header_line_maxsize : settings.header_maxsize
  session.log.main(
    undefined,
    `${line ? 'overlong message header line' : 'ridiculously long message header'} received from ${session.who(false)} (more than ${most} characters): message abandoned`,
  )
  return {
    exitCode: 1,
    problem: `exim: message header ${line ? 'line ' : ''}longer than ${most} characters received: message not accepted`,
  }
}

/** Standard input without a dialogue: nobody to answer. */
function silentIo(source: ByteSource): SessionIo {
  return {
    reader: new LineReader(source),
    write() {},
    flush() {},
    end: () => Promise.resolve(),
    destroy() {},
  }
}
