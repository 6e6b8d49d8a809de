/**
 * Messages that the program itself writes (bounces, warnings): into the spool, with their `<=` line, and on to
 * delivery. No ACL is asked about them. Source: Exim manual, "Bounce messages"; `-localerror` in "Format of the -H file".
 */
import { randomBytes } from 'node:crypto'
import { toBytes, type ByteString } from '../base/text.ts'
import type { GeneratedMessage, Submitted } from '../flow/delivery/index.ts'
import { newMessage } from '../flow/receive/message-facts.ts'
import { receivedHeader } from '../flow/receive/received-header.ts'
import { newConnection, type ReceiveServices } from '../flow/receive/services.ts'
import { headerDate } from '../mail/date.ts'
import type { Envelope, Header } from '../mail/envelope.ts'
import { isNamed, makeHeader, splitHeaders } from '../mail/header.ts'
import { receivedLine } from '../mail/log-lines.ts'
import type { Server } from './server.ts'

export async function submitGenerated(
  generated: GeneratedMessage,
  server: Server,
  services: ReceiveServices,
): Promise<Submitted> {
  const { ports, facts, user } = server
  const now = ports.now()
  const originator = { login: user.name, uid: user.uid, gid: user.gid }
  const connection = newConnection({
    kind: 'local',
    activeHostname: facts.primaryHostname,
    connectionId: randomBytes(6).toString('hex'),
    startedAt: now,
    ident: user.name,
    caller: { ...originator, trusted: true },
  })
  const incoming = services.spool.begin()
  try {
    const { headers: written, body } = split(generated.text)
    let headers: readonly Header[] = written
    const message = {
      ...newMessage({ receivedAt: now, local: true, originator }),
      id: incoming.id,
    }
    message.sender = generated.sender
    message.headers = headers
    const context = server.context({ connection, message })
    const { rewriting } = services
    const recipients: { address: ByteString }[] = []
    for (const address of generated.recipients)
      recipients.push({ address: (await rewriting?.recipient(address, context)) ?? address })
    headers = (await rewriting?.headers(headers, context)) ?? headers
    message.headers = headers
    message.recipients = recipients
    message.receivedFor = recipients.length === 1 ? recipients[0]?.address : undefined
    const received = await receivedHeader(context, now)
    if (received !== undefined && 'problem' in received) throw new Error(received.problem)
    const from = `${user.name}@${facts.qualifyDomain}`
    const all = complete(headers, received, { id: incoming.id, host: facts.primaryHostname, from, now })
    await incoming.write(toBytes(body))
    const lines = body.split('\n')
    const envelope: Envelope = {
      id: incoming.id,
      receivedAt: now,
      receiveMs: 0,
      originator,
      sender: generated.sender,
      recipients,
      headers: all,
      protocol: 'local',
      ident: user.name,
      local: true,
      localErrorMessage: generated.isReport,
      ...authentication(generated, server),
      ...(generated.aboutTls === true ? { extra: { aboutTls: true } } : {}),
      bodyLines: lines.length - 1,
      bodyZeros: 0,
      bodySize: body.length,
      maxReceivedLineLength: lines.reduce((most, line) => Math.max(most, line.length), 0),
      firstDelivery: true,
      done: [],
    }
    const spooled = await incoming.commit(envelope)
    const line = receivedLine(
      {
        envelope,
        connection,
        sizeBytes: all.reduce((sum, header) => sum + header.text.length, 0) + 1 + body.length,
        body8bitmime: 0,
        chunking: false,
        pipelining: undefined,
        prdr: false,
        rawSender: generated.sender,
        rawRecipients: generated.recipients,
        about: generated.about,
        messageIdCreated: true,
      },
      server.log,
    )
    server.log.main(incoming.id, line)
    services.accepted(spooled, { next: 'deliver' })
    return { is: 'accepted', id: incoming.id }
  } catch (error) {
    await incoming.abort().catch(() => undefined)
    return { is: 'refused', message: error instanceof Error ? error.message : String(error) }
  }
}

/** For AUTH= where the bounce is passed on. Source: Exim manual, "bounce_sender_authentication". */
function authentication(
  generated: GeneratedMessage,
  server: Server,
): { readonly authenticatedSender?: ByteString } {
  const address = server.settings.bounce_sender_authentication
  return generated.isReport && address !== undefined ? { authenticatedSender: address } : {}
}

function split(text: ByteString): { readonly headers: Header[]; readonly body: ByteString } {
  const end = text.indexOf('\n\n')
  if (end === -1) return { headers: splitHeaders(text), body: '' }
  return { headers: splitHeaders(text.slice(0, end + 1)), body: text.slice(end + 2) }
}

/** What every message needs and this one may lack. */
function complete(
  headers: readonly Header[],
  received: Header | undefined,
  { id, host, from, now }: Readonly<Record<'id' | 'host' | 'from', string>> & { readonly now: number },
): Header[] {
  const has = (name: string): boolean => headers.some((header) => isNamed(header, name))
  const all = [...(received === undefined ? [] : [received]), ...headers]
  // What a filter has sent need not say who it is from: RFC 5322 section 3.6 wants it.
  if (!has('From')) all.push(makeHeader(`From: ${from}\n`))
  if (!has('Message-Id')) all.push(makeHeader(`Message-Id: <E${id}@${host}>\n`))
  if (!has('Date')) all.push(makeHeader(`Date: ${headerDate(now)}\n`))
  return all
}
