/** `-Mvh`, `-Mvb`, `-Mvc`, `-Mvl`: what the spool holds of one message. Source: Exim manual, "-Mvh" and its kin. */
import { isMessageId } from '../../../base/message-id.ts'
import { fromBytes } from '../../../base/text.ts'
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
  return flag === '-Mvl' ? showLog(spool, id, terminal) : showMessage(spool, id, flag, terminal)
}

async function showLog(spool: Spool, id: string, terminal: Terminal): Promise<number> {
  const log = await spool.messageLog(id)
  if (log === undefined) return missing(id, 'message log', terminal)
  terminal.out(log)
  return 0
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
