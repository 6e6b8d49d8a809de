/** Has a message judged by SpamAssassin or rspamd. Source: Exim manual, "Scanning with SpamAssassin and Rspamd". */
import { Failure } from '../../../base/outcome.ts'
import { type ByteString, type Text, textOf, toBytes } from '../../../base/text.ts'
import type { Context, MessageFacts } from '../../../ports.ts'
import { converse, openScanner } from '../conversation.ts'
import { readStretch, scanCopyOf, type ScanFile } from '../scan-copy.ts'
import { readRspamd, readSpamd, type SpamFacts } from './answer.ts'
import { mostSpamServers, orderServers, readSpamServer, type SpamServer } from './servers.ts'

const KEY = 'spam'
const USER = 'spam user'
/** A report is a few kilobytes. */
const answerBytes = 65_536

/** Undefined: it could not be judged, and it has been said why. */
export async function checkSpam(context: Context, user: ByteString): Promise<SpamFacts | undefined> {
  const { message, settings } = context
  if (message === undefined) return undefined
  // "The spam condition caches its results unless expansion in spamd_address was used."
  const keeps = !settings.spamd_address.text.startsWith('$')
  const kept = spamOf(message)
  if (keeps && kept !== undefined && message.extra.get(USER) === user) return kept
  const facts = await ask(context, user).catch((error: unknown) => {
    complain(context, error instanceof Error ? error.message : String(error))
    return undefined
  })
  if (facts === undefined) return undefined
  message.extra.set(KEY, facts)
  message.extra.set(USER, user)
  return facts
}

/** Of this message, if it was judged. */
export function spamOf(message: Pick<MessageFacts, 'extra'> | undefined): SpamFacts | undefined {
  // Only `checkSpam` writes there.
  return message?.extra.get(KEY) as SpamFacts | undefined
}

function complain({ message, ports }: Context, text: ByteString): void {
  ports.log.panic(message?.id, `spam acl condition: ${text}`, { event: 'spam:failed' })
}

async function ask(context: Context, user: ByteString): Promise<SpamFacts | undefined> {
  const servers = await serversOf(context)
  const copy = scanCopyOf(context.message)
  if (servers === undefined || copy === undefined) return undefined
  if (servers.length === 0) {
    complain(context, 'no useable spamd server addresses in spamd_address configuration option.')
    return undefined
  }
  const file = await copy.file()
  const now = new Date(context.ports.now())
  const second = now.getHours() * 3600 + now.getMinutes() * 60 + now.getSeconds()
  for (const server of orderServers(servers, second, (limit) => context.ports.random(limit))) {
    const opened = await openScanner(
      server.to,
      { ...server, timeoutMs: server.timeoutSeconds * 1000 },
      context,
    )
    if (opened.is === 'failed') {
      // Others may do better: this is for the main log alone.
      context.ports.log.main(context.message?.id, `spam acl condition: spamd: ${opened.problem}`, {
        event: 'spam:failed',
      })
      continue
    }
    const answer = await converse(opened.socket, {
      pieces: request(server, file, user, context),
      half: !server.rspamd,
      timeoutMs: server.timeoutSeconds * 1000,
      mostBytes: answerBytes,
    })
    if (answer.is === 'failed') {
      complain(context, `error reading from spamd ${opened.shown}, socket: ${answer.problem}`)
      return undefined
    }
    const facts = server.rspamd ? readRspamd(answer.text) : readSpamd(answer.text)
    if (facts === undefined) {
      complain(context, `cannot parse spamd ${opened.shown}${server.rspamd ? ', output: 0' : ' output'}`)
    }
    return facts
  }
  complain(context, 'all spamd servers failed')
  return undefined
}

async function serversOf(context: Context): Promise<SpamServer[] | undefined> {
  const { spamd_address } = context.settings
  const text: Text | Failure = spamd_address.text.startsWith('$')
    ? await context.ports.expand(spamd_address, context)
    : spamd_address.text
  if (text instanceof Failure) {
    complain(context, `spamd_address starts with $, but expansion failed: ${text.message}`)
    return undefined
  }
  const servers: SpamServer[] = []
  for (const item of context.ports.splitList(text).map(textOf)) {
    if (item === '' || servers.length >= mostSpamServers) continue
    const server = readSpamServer(item)
    if ('problem' in server) complain(context, server.problem)
    else servers.push(server)
  }
  return servers
}

async function* request(
  { rspamd }: SpamServer,
  { path, size }: ScanFile,
  user: ByteString,
  context: Context,
): AsyncGenerator<Uint8Array> {
  yield toBytes(
    rspamd
      ? rspamdHead(size, context)
      : `REPORT SPAMC/1.2\r\nUser: ${clean(user)}\r\nContent-length: ${size}\r\n\r\n`,
  )
  yield* readStretch(path, 0, size)
}

function rspamdHead(size: number, { message, connection }: Context): ByteString {
  const lines = ['CHECK RSPAMC/1.3', `Content-length: ${size}`]
  if (message !== undefined) {
    lines.push(`Queue-Id: ${message.id}`, `From: <${clean(message.sender ?? '')}>`)
    lines.push(`Recipient-Number: ${message.recipients.length}`)
    for (const { address } of message.recipients) lines.push(`Rcpt: <${clean(address)}>`)
  }
  if (connection?.helo !== undefined) lines.push(`Helo: ${clean(connection.helo)}`)
  if (connection?.hostName !== undefined) lines.push(`Hostname: ${clean(connection.hostName)}`)
  if (connection?.hostAddress !== undefined) lines.push(`IP: ${connection.hostAddress}`)
  if (connection?.authenticatedId !== undefined) lines.push(`User: ${clean(connection.authenticatedId)}`)
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** No line of the protocol is ended by what a stranger sent. */
function clean(text: ByteString): ByteString {
  // oxlint-disable-next-line no-control-regex
  return text.replace(/[\0-\x1f\x7f]/g, '')
}
