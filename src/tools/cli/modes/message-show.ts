/** `-Mvh`, `-Mvb`, `-Mvc`, `-Mvl`: what the spool holds of one message. Source: Exim manual, "-Mvh" and its kin. */
import { isMessageId } from '../../../base/message-id.ts'
import { fromBytes } from '../../../base/text.ts'
import type { Envelope } from '../../../mail/envelope.ts'
import { headerBody } from '../../../mail/header.ts'
import { subjectField } from '../../../mail/log-lines.ts'
import { logTime } from '../../../mail/log-time.ts'
import type { Log } from '../../../ports.ts'
import type { Spool } from '../../../store/spool/api.ts'
import { headerFileOf } from '../../../store/spool/exim-files.ts'
import type { ServerCall } from '../call.ts'
import type { Terminal } from '../terminal.ts'

export async function run({ invocation, server, terminal }: ServerCall): Promise<number> {
  const given = invocation.flags.find(({ rest, flag }) => rest.length > 0 || flag.startsWith('-Mv'))
  const flag = given?.flag ?? '-Mvc'
  const id = given?.rest[0]
  if (id === undefined) {
    terminal.err(`${invocation.calledAs}: no message ids given after ${flag} option\n`)
    return 1
  }
  if (!isMessageId(id)) {
    terminal.err(`${invocation.calledAs}: malformed message id ${id} after ${flag} option\n`)
    return 1
  }
  const spool = await server.spool('read')
  return flag === '-Mvl' ? showLog(server, spool, id, terminal) : showMessage(spool, id, flag, terminal)
}

/** The log's first line says who the message came from; the spool knows it, so it is not kept a second time. */
async function showLog(
  { log, settings }: ServerCall['server'],
  spool: Spool,
  id: string,
  terminal: Terminal,
): Promise<number> {
  const text = await spool.messageLog(id)
  const message = await spool.read(id)
  if (text === undefined || message === undefined || !settings.message_logs) {
    return missing(id, 'message log', terminal)
  }
  const { envelope, bodySize } = message
  const stamp = logTime(envelope.receivedAt, settings, log.selects('millisec'))
  terminal.out(`${stamp} Received from ${receivedFrom(envelope, bodySize, log)}\n${text}`)
  return 0
}

/** As the `<=` line has it, so far as the envelope knows. */
function receivedFrom(envelope: Envelope, bodySize: number, log: Log): string {
  const { host, ident, headers } = envelope
  const kept = headers.filter(({ type }) => type !== '*')
  const sizeBytes = kept.reduce((sum, { text }) => sum + text.length, 1 + bodySize)
  const id = /<([^>]*)>/.exec(headerBody(kept.find(({ type }) => type === 'I')?.text ?? ':'))?.[1]
  const helo = host?.helo === undefined || host.helo === host.name ? '' : ` (${host.helo})`
  const parts = [
    envelope.sender === '' ? '<>' : envelope.sender,
    host === undefined ? '' : ` H=${`${host.name ?? ''}${helo} [${host.address}]`.trimStart()}`,
    ident === undefined || ident === '' ? '' : ` U=${ident}`,
    envelope.protocol === '' ? '' : ` P=${envelope.protocol}`,
    host?.authenticated === undefined ? '' : ` A=${host.authenticated}:${envelope.authenticatedId ?? ''}`,
    ` S=${sizeBytes}`,
    // An id of our own making says nothing about where it came from.
    id === undefined || id.includes(envelope.id) ? '' : ` id=${id}`,
    log.selects('subject') ? subjectField(kept) : '',
  ]
  return parts.join('')
}

async function showMessage(spool: Spool, id: string, flag: string, terminal: Terminal): Promise<number> {
  const message = await spool.read(id)
  if (message === undefined) return missing(id, 'spool', terminal)
  if (flag === '-Mvh') {
    terminal.out(headerFileOf(message.envelope))
    return 0
  }
  if (flag === '-Mvb') terminal.out(`${id}-D\n`)
  else {
    const headers = message.envelope.headers.filter((header) => header.type !== '*')
    terminal.out(`${headers.map((header) => header.text).join('')}\n`)
  }
  for await (const piece of message.body()) terminal.out(fromBytes(piece))
  return 0
}

function missing(id: string, what: string, terminal: Terminal): number {
  terminal.err(`Failed to open ${what} file for ${id}: No such file or directory\n`)
  return 1
}
