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
  receiver: MessageReceiver,
  headers: readonly Header[],
): Envelope {
  const { message } = transaction
  const { connection } = session
  const { controls } = message
  const now = session.context.ports.now()
  const host = originHost(connection)
  const variables = aclVariables(connection, message.aclM)
  return {
    id: message.id,
    receivedAt: message.receivedAt,
    receiveMs: Math.max(0, now - message.receivedAt),
    originator: message.originator,
    sender: message.sender ?? '',
    recipients: transaction.recipients.map(keptRecipient),
    headers,
    protocol: connection.protocol,
    ...(host === undefined ? {} : { host }),
    ...(connection.ident === undefined ? {} : { ident: connection.ident }),
    ...identity(connection, message.local),
    ...(message.allowUnqualified === undefined ? {} : { allowUnqualified: message.allowUnqualified }),
    local: message.local,
    bodyLines: receiver.bodyLines,
    bodyZeros: receiver.bodyZeros,
    bodySize: receiver.bodySize,
    maxReceivedLineLength: receiver.maxLineLength,
    body8bit: message.body8bit,
    smtputf8: message.smtputf8,
    ...(controls.utf8Downconvert === undefined || controls.utf8Downconvert === 0
      ? {}
      : { utf8Downconvert: controls.utf8Downconvert }),
    ...(transaction.dsnRet === undefined ? {} : { dsnRet: transaction.dsnRet }),
    ...(transaction.dsnEnvid === undefined ? {} : { dsnEnvid: transaction.dsnEnvid }),
    ...(variables === undefined ? {} : { aclVariables: variables }),
    ...(controls.queueName === undefined ? {} : { queueName: controls.queueName }),
    ...(controls.queueOnly && !controls.queueFirstPassRoute ? { queueOnly: true } : {}),
    ...(controls.freeze && !session.settings.mua_wrapper ? { frozenAt: now } : {}),
    ...keptExtra(message, connection),
    firstDelivery: true,
    done: [],
  }
}

/** A caller who chose a sender in a dialogue does not count as authenticated under the own name. */
function identity(
  { caller, authenticatedBy, authenticatedId: id, authenticatedSender: sender }: ConnectionFacts,
  local: boolean,
): Pick<Envelope, 'authenticatedId' | 'authenticatedSender'> {
  if (!local && caller !== undefined && authenticatedBy === undefined && id === caller.login) return {}
  return {
    ...(id === undefined ? {} : { authenticatedId: id }),
    ...(sender === undefined ? {} : { authenticatedSender: sender }),
  }
}

function keptRecipient(one: Transaction['recipients'][number]): Recipient {
  return { address: one.address, ...(one.dsn === undefined ? {} : { dsn: one.dsn }) }
}

/** The sending host as delivery will want to know it; undefined for local input. */
export function originHost(connection: ConnectionFacts): OriginHost | undefined {
  const { hostAddress, tls } = connection
  if (hostAddress === undefined) return undefined
  return {
    address: hostAddress,
    port: connection.hostPort,
    ...(connection.hostName === undefined ? {} : { name: connection.hostName }),
    ...(connection.helo === undefined ? {} : { helo: connection.helo }),
    ...(connection.ident === undefined ? {} : { ident: connection.ident }),
    ...(connection.authenticatedBy === undefined ? {} : { authenticated: connection.authenticatedBy }),
    ...(connection.interfaceAddress === undefined
      ? {}
      : { interfaceAddress: connection.interfaceAddress, interfacePort: connection.interfacePort }),
    ...(tls === undefined
      ? {}
      : {
          tlsCipher: tls.cipher,
          tlsPeerDn: tls.peerDn,
          tlsSni: tls.sni,
          tlsCertificateVerified: tls.certificateVerified,
          tlsVersion: tls.version,
        }),
  }
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
function keptExtra(message: MessageFacts, connection: ConnectionFacts): Pick<Envelope, 'extra'> {
  const arc = arcOf(message)?.state
  const spam = spamOf(message)
  const debugLog = debugLoggingOf(connection.extra)
  if (arc === undefined && spam === undefined && debugLog === undefined) return {}
  // "Except for $spam_report, these variables are saved with the received message": Exim manual.
  const { report: _, ...saved } = spam ?? { report: '' }
  return {
    extra: {
      ...(arc === undefined ? {} : { arc }),
      ...(spam === undefined ? {} : { spam: saved }),
      ...(debugLog === undefined ? {} : { debugLog }),
    },
  }
}
