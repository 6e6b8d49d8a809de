/** `-bs`: SMTP on standard input and output, for local programs and inetd. Source: Exim manual, "-bs". */
import type { ServerCall } from '../call.ts'
import { has, valueOf } from '../parse.ts'
import { queueingOf } from '../queueing.ts'
import { converseOnStdin, describedConnection } from '../stdin-session.ts'
import { inetdPeer } from '../inetd-peer.ts'

export async function run(call: ServerCall): Promise<number> {
  const { invocation } = call
  const peer = valueOf(invocation, '-oMa') === undefined ? inetdPeer() : undefined
  const connection =
    peer === undefined
      ? describedConnection(call, { kind: 'bs' })
      : describedConnection(call, { kind: 'smtp', host: `[${peer.address}]:${peer.port}` })
  const queueing = await queueingOf(call)
  const exitCode = await converseOnStdin(
    connection,
    queueing.services,
    new AbortController(),
    has(invocation, '-tls-on-connect'),
  )
  await queueing.finish()
  return exitCode
}
