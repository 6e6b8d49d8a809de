/** `-bs`: SMTP on standard input and output, for local programs and inetd. Source: Exim manual, "-bs". */
import type { ServerCall } from '../call.ts'
import { has, valueOf } from '../parse.ts'
import { queueingOf } from '../queueing.ts'
import { converseOnStdin, describedConnection } from '../stdin-session.ts'
import { inetdPeer } from '../inetd-peer.ts'

export async function run(call: ServerCall): Promise<number> {
  const { invocation, server, terminal } = call
  const peer = valueOf(invocation, '-oMa') === undefined ? inetdPeer() : undefined
  if (peer !== undefined && server.settings.mua_wrapper) {
    const wrong = 'Input from inetd is not supported when mua_wrapper is set'
    server.log.panic(undefined, wrong)
    terminal.err(`${wrong}\n`)
    return 1
  }
  const connection =
    peer === undefined
      ? describedConnection(call, { kind: 'bs' })
      : describedConnection(call, { kind: 'smtp', host: `[${peer.address}]:${peer.port}` })
  const queueing = await queueingOf(call)
  const recorded = call.server.recorder?.session(connection)
  const exitCode = await converseOnStdin(
    connection,
    recorded?.watched(queueing.services) ?? queueing.services,
    new AbortController(),
    has(invocation, '-tls-on-connect'),
  )
  recorded?.finish()
  const delivered = await queueing.finish()
  return exitCode === 0 ? delivered : exitCode
}
