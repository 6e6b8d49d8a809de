/** Builds what expansions may look at while a message is delivered, from its envelope. */
import { taint, type ByteString, type Text } from '../../base/text.ts'
import type { Envelope } from '../../mail/envelope.ts'
import type { ConnectionFacts, Context, MessageFacts, VisibleBody } from '../../ports.ts'
import { newControls } from '../message-controls.ts'
import type { SpooledMessage } from '../../store/spool/api.ts'
import type { DeliveryDeps, Watched } from './deps.ts'

export type MessageDeps = Pick<DeliveryDeps, 'server' | 'settings' | 'ports' | 'debug' | 'trace'>

/** A context for one delivery attempt of a message. `watched`: it is explained or debugged. */
export async function deliveryContext(
  deps: MessageDeps,
  message: SpooledMessage,
  watched?: Watched,
): Promise<Context> {
  const visible = deps.settings.message_body_visible
  const small = message.smallBody()
  const bytes = small instanceof Promise ? await small : small
  const ends = bytes === undefined ? await readEnds(message, visible) : undefined
  return {
    server: deps.server,
    settings: deps.settings,
    ports: watched === undefined ? deps.ports : watched.ports,
    connection: connectionFacts(message.envelope, deps),
    message: messageFacts(message, deps.settings.message_body_newlines, (end) => {
      if (ends !== undefined) return end ? ends.last : ends.first
      if (bytes === undefined) return ''
      const piece = end ? bytes.subarray(Math.max(0, bytes.length - visible)) : bytes.subarray(0, visible)
      return Buffer.from(piece).toString('latin1')
    }),
    address: undefined,
    delivery: undefined,
    captures: [],
    variables: new Map(),
    bound: undefined,
    listDepth: undefined,
    listCache: undefined,
    aclDepth: undefined,
    aclArguments: undefined,
    debug: watched?.debug ?? deps.debug,
    trace: watched?.trace ?? deps.trace,
  }
}

async function readEnds(message: SpooledMessage, visible: number): Promise<{ first: string; last: string }> {
  const take = async (start: number): Promise<string> => {
    let text = ''
    for await (const piece of message.body(start)) {
      text += Buffer.from(piece.subarray(0, visible - text.length)).toString('latin1')
      if (text.length >= visible) break
    }
    return text
  }
  return { first: await take(0), last: await take(Math.max(0, message.bodySize - visible)) }
}

/** Made into text only when somebody asks. */
class BodyEnds implements VisibleBody {
  readonly #text: (end: boolean) => ByteString
  readonly #newlines: boolean

  constructor(text: (end: boolean) => ByteString, newlines: boolean) {
    this.#text = text
    this.#newlines = newlines
  }

  get start(): ByteString {
    return this.#visible(this.#text(false))
  }

  get end(): ByteString {
    return this.#visible(this.#text(true))
  }

  /** Exim shows line ends of `$message_body` as spaces unless told otherwise. */
  #visible(text: ByteString): ByteString {
    return this.#newlines ? text : text.replaceAll(/[\n\0]/g, ' ')
  }
}

function messageFacts(
  message: SpooledMessage,
  newlines: boolean,
  body: (end: boolean) => ByteString,
): MessageFacts {
  const envelope = message.envelope
  let headersBytes = 0
  let receivedCount = 0
  for (const header of envelope.headers) {
    if (header.type === '*') continue
    headersBytes += header.text.length
    if (header.type === 'P') receivedCount++
  }
  const controls = newControls()
  controls.queueName = envelope.queueName
  return {
    id: envelope.id,
    sender: envelope.sender,
    rawSender: envelope.sender,
    recipients: envelope.recipients,
    rcptCount: envelope.recipients.length,
    rcptDeferCount: 0,
    rcptFailCount: 0,
    headers: envelope.headers,
    headersAdded: [],
    body: new BodyEnds(body, newlines),
    bodySize: envelope.bodySize,
    bodyLines: envelope.bodyLines,
    bodyZeros: envelope.bodyZeros,
    size: headersBytes + 1 + envelope.bodySize,
    maxReceivedLineLength: envelope.maxReceivedLineLength,
    receivedCount,
    receivedAt: envelope.receivedAt,
    smtputf8: envelope.smtputf8 ?? false,
    prdrRequested: false,
    body8bit: envelope.body8bit ?? false,
    aclM: aclVariables(envelope, 'm'),
    controls,
    receivedFor: undefined,
    firstDelivery: envelope.firstDelivery,
    manuallyThawed: envelope.manuallyThawed ?? false,
    local: envelope.local,
    originator: envelope.originator,
    extra: new Map(Object.entries(envelope.extra ?? {})),
  }
}

function aclVariables(envelope: Envelope, kind: 'c' | 'm'): Map<string, Text> {
  const map = new Map<string, Text>()
  for (const [name, value] of Object.entries(envelope.aclVariables ?? {})) {
    if (!name.startsWith(kind)) continue
    map.set(name, value.taintedBy === undefined ? value.text : taint(value.text, value.taintedBy))
  }
  return map
}

/** What the session knew, as far as the envelope keeps it. */
function connectionFacts(envelope: Envelope, deps: MessageDeps): ConnectionFacts {
  const host = envelope.host
  return {
    kind: host === undefined ? 'local' : 'smtp',
    hostAddress: host?.address,
    hostPort: host?.port ?? 0,
    interfaceAddress: host?.interfaceAddress,
    interfacePort: host?.interfacePort ?? 0,
    hostName: host?.name,
    hostAliases: [],
    hostLookup: host?.name === undefined ? 'not done' : 'found',
    hostDnssec: false,
    helo: host?.helo,
    heloVerified: undefined,
    protocol: envelope.protocol,
    ident: envelope.ident ?? host?.ident,
    tls:
      host?.tlsCipher === undefined
        ? undefined
        : {
            cipher: host.tlsCipher,
            cipherStd: '',
            version: host.tlsVersion ?? '',
            bits: 0,
            certificateVerified: host.tlsCertificateVerified ?? false,
            peerDn: host.tlsPeerDn ?? '',
            sni: host.tlsSni ?? '',
            ocsp: 0,
            resumed: false,
            onConnect: false,
            ...(host.tlsPeerCertificate === undefined
              ? {}
              : { peerCertificate: Buffer.from(host.tlsPeerCertificate, 'base64') }),
          },
    proxy: undefined,
    authenticatedId: envelope.authenticatedId,
    authenticatedSender: envelope.authenticatedSender,
    authenticatedBy: host?.authenticated,
    authenticationFailed: false,
    authenticatedFailId: undefined,
    activeHostname: deps.server.primaryHostname,
    connectionId: '',
    aclC: aclVariables(envelope, 'c'),
    smtpCommand: '',
    smtpCommandArgument: '',
    smtpCommandHistory: [],
    countAtStart: 0,
    notQuitReason: '',
    startedAt: envelope.receivedAt,
    hostChecking: false,
    extra: new Map(),
  }
}
