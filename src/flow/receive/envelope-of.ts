/** What is kept of a message and its session, as the spool wants it. */
import { arcOf } from '../../mail/arc-facts.ts'
import type { ByteString, Text } from '../../base/text.ts'
import type { Envelope, Header, OriginHost, Recipient } from '../../mail/envelope.ts'
import { debugLoggingOf } from '../../policy/acl/controls/debug.ts'
import { spamOf } from '../../policy/scanning/spam/check.ts'
import type { ConnectionFacts, MessageFacts } from '../../ports.ts'
import type { MessageReceiver } from './body.ts'
import type { Session, Transaction } from './session-state.ts'

export function makeEnvelope(
  session: Session,
  transaction: Transaction,
  receiver: Pick<MessageReceiver, 'bodyLines' | 'bodyZeros' | 'bodySize' | 'maxLineLength'>,
  headers: readonly Header[],
): Envelope {
  const { message } = transaction
  const { connection } = session
  const { controls } = message
  const now = session.context.ports.now()
  const host = originHost(connection)
  const variables = aclVariables(connection, message.aclM)
  const envelope: Making<Envelope> = {
    id: message.id,
    receivedAt: message.receivedAt,
    receiveMs: Math.max(0, now - message.receivedAt),
    originator: message.originator,
    sender: message.sender ?? '',
    recipients: transaction.recipients.map(keptRecipient),
    headers,
    protocol: connection.protocol,
    local: message.local,
    bodyLines: receiver.bodyLines,
    bodyZeros: receiver.bodyZeros,
    bodySize: receiver.bodySize,
    maxReceivedLineLength: receiver.maxLineLength,
    body8bit: message.body8bit,
    smtputf8: message.smtputf8,
    firstDelivery: true,
    done: [],
  }
  // What is not there is left out: the spool keeps an envelope as JSON.
  const { utf8Downconvert = 0 } = controls
  if (host !== undefined) envelope.host = host
  if (connection.ident !== undefined) envelope.ident = connection.ident
  identify(envelope, connection, message.local)
  if (connection.caller?.trusted === false && !message.local) envelope.senderSetUntrusted = true
  if (message.allowUnqualified !== undefined) envelope.allowUnqualified = message.allowUnqualified
  if (utf8Downconvert !== 0) envelope.utf8Downconvert = utf8Downconvert
  if (transaction.dsnRet !== undefined) envelope.dsnRet = transaction.dsnRet
  if (transaction.dsnEnvid !== undefined) envelope.dsnEnvid = transaction.dsnEnvid
  if (variables !== undefined) envelope.aclVariables = variables
  if (controls.queueName !== undefined) envelope.queueName = controls.queueName
  if (controls.queueOnly && !controls.queueFirstPassRoute) envelope.queueOnly = true
  if (controls.freeze && !session.settings.mua_wrapper) envelope.frozenAt = now
  const extra = keptExtra(message, connection)
  if (extra !== undefined) envelope.extra = extra
  return envelope
}

type Making<T> = { -readonly [K in keyof T]: T[K] }

/** A trusted caller who chose a sender in a dialogue does not count as authenticated under the own name. */
function identify(
  envelope: Making<Envelope>,
  { caller, authenticatedBy, authenticatedId: id, authenticatedSender: sender }: ConnectionFacts,
  local: boolean,
): void {
  if (!local && caller?.trusted === true && authenticatedBy === undefined && id === caller.login) return
  if (id !== undefined) envelope.authenticatedId = id
  if (sender !== undefined) envelope.authenticatedSender = sender
}

function keptRecipient(one: Transaction['recipients'][number]): Recipient {
  return one.dsn === undefined ? { address: one.address } : { address: one.address, dsn: one.dsn }
}

/** The sending host as delivery will want to know it; undefined for local input. */
export function originHost(connection: ConnectionFacts): OriginHost | undefined {
  const { hostAddress, tls } = connection
  if (hostAddress === undefined) return undefined
  const host: Making<OriginHost> = { address: hostAddress, port: connection.hostPort }
  if (connection.hostName !== undefined) host.name = connection.hostName
  if (connection.helo !== undefined) host.helo = connection.helo
  if (connection.ident !== undefined) host.ident = connection.ident
  if (connection.authenticatedBy !== undefined) host.authenticated = connection.authenticatedBy
  if (connection.interfaceAddress !== undefined) {
    host.interfaceAddress = connection.interfaceAddress
    host.interfacePort = connection.interfacePort
  }
  if (tls !== undefined) {
    host.tlsCipher = tls.cipher
    host.tlsPeerDn = tls.peerDn
    host.tlsSni = tls.sni
    host.tlsCertificateVerified = tls.certificateVerified
    host.tlsVersion = tls.version
    if (tls.peerCertificate !== undefined)
      host.tlsPeerCertificate = Buffer.from(tls.peerCertificate).toString('base64')
  }
  return host
}

function aclVariables(
  connection: ConnectionFacts,
  message: ReadonlyMap<string, Text>,
): Envelope['aclVariables'] | undefined {
  if (connection.aclC.size === 0 && message.size === 0) return undefined
  const kept: Record<string, { text: ByteString; taintedBy?: string }> = {}
  for (const [name, value] of [...connection.aclC, ...message]) {
    kept[name] =
      typeof value === 'string'
        ? { text: value }
        : { text: value.text, taintedBy: value.spans[0]?.origin ?? '' }
  }
  return kept
}

/** What later deliveries want to know of the checks. */
function keptExtra(message: MessageFacts, connection: ConnectionFacts): Envelope['extra'] {
  const arc = arcOf(message)?.state
  const spam = spamOf(message)
  const debugLog = debugLoggingOf(connection.extra)
  if (arc === undefined && spam === undefined && debugLog === undefined) return undefined
  // "Except for $spam_report, these variables are saved with the received message": Exim manual.
  const { report: _, ...saved } = spam ?? { report: '' }
  return {
    ...(arc === undefined ? {} : { arc }),
    ...(spam === undefined ? {} : { spam: saved }),
    ...(debugLog === undefined ? {} : { debugLog }),
  }
}
