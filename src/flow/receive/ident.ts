/** The ident protocol, off unless asked for. Source: RFC 1413; Exim manual, `rfc1413_hosts`, `rfc1413_query_timeout`. */
import type { ByteString } from '../../base/text.ts'
import { connectTo } from '../../wire/outbound.ts'
import { clientMatches } from './matching.ts'
import type { Session } from './session-state.ts'

/** RFC 1413 section 4: a reply has at most 1000 characters; Exim keeps 127 of the name. */
const longestReply = 1000
const longestName = 127

/** Asks the client's host who the client is; nothing is an error. */
export async function askIdent(session: Session): Promise<void> {
  const { connection, settings, context } = session
  const seconds = settings.rfc1413_query_timeout
  const address = connection.hostAddress
  if (seconds <= 0 || address === undefined || connection.kind !== 'smtp' || connection.hostChecking) return
  if (!(await clientMatches(settings.rfc1413_hosts, context))) return
  const endsAt = Date.now() + seconds * 1000
  const opened = await connectTo({
    address,
    port: settings.rfc1413_port,
    localAddress: connection.interfaceAddress,
    timeoutMs: seconds * 1000,
    signal: session.services.shutdown,
  })
  if (opened.is === 'failed') {
    context.debug?.('ident', `ident connection to ${address} failed: ${opened.message}`)
    return
  }
  const { socket } = opened
  const reply = await new Promise<string>((resolve) => {
    let text = ''
    const done = (): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(text)
    }
    const timer = setTimeout(done, Math.max(1, endsAt - Date.now()))
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1')
      if (text.includes('\n') || text.length > longestReply) done()
    })
    socket.on('error', done)
    socket.on('close', done)
    socket.write(`${connection.hostPort} , ${connection.interfacePort}\r\n`)
  })
  const ident = parseIdent(reply, connection.hostPort, connection.interfacePort)
  if (ident !== undefined) connection.ident = ident
}

/** `6193, 23 : USERID : UNIX : stjohns`: the name; undefined for an error or another's answer. */
export function parseIdent(reply: string, hostPort: number, ourPort: number): ByteString | undefined {
  const match = /^\s*(\d+)\s*,\s*(\d+)\s*:\s*USERID\s*:[^:]*:\s*([^\r\n]*)/i.exec(reply)
  if (match === null || Number(match[1]) !== hostPort || Number(match[2]) !== ourPort) return undefined
  // biome-ignore lint/suspicious/noControlCharactersInRegex: nothing that could forge a log line or a header
  const name = (match[3] ?? '').replace(/[^\x21-\x7e]/g, '').slice(0, longestName)
  return name === '' ? undefined : name
}
