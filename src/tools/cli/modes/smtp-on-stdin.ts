/** `-bs`: SMTP on standard input and output, for local programs and inetd. Source: Exim manual, "-bs". */
import type { ConnectionFacts } from '../../../ports.ts'
import { greetProxy, proxyDue } from '../../../server/proxy-service.ts'
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
      : describedConnection(call, {
          kind: 'smtp',
          host: `[${peer.address}]:${peer.port}`,
          at: `[${peer.at.address}]:${peer.at.port}`,
        })
  const proxied = peer === undefined ? noProxy : await behindProxy(call, connection)
  if (proxied.is === 'over') return proxied.exitCode
  const queueing = await queueingOf(call)
  const recorded = call.server.recorder?.session(connection)
  const exitCode = await converseOnStdin(
    connection,
    recorded?.watched(queueing.services) ?? queueing.services,
    new AbortController(),
    { onConnect: has(invocation, '-tls-on-connect'), head: proxied.head },
  )
  recorded?.finish()
  const delivered = await queueing.finish()
  return exitCode === 0 ? delivered : exitCode
}

type Proxied =
  | { readonly is: 'ready'; readonly head: Buffer | undefined }
  | { readonly is: 'over'; readonly exitCode: 0 | 1 }

const noProxy: Proxied = { is: 'ready', head: undefined }

/** Hosts of `hosts_proxy` begin with a header here as well. */
async function behindProxy({ server, terminal }: ServerCall, connection: ConnectionFacts): Promise<Proxied> {
  const context = server.context({ connection })
  const due = await proxyDue(context)
  if (due.is === 'no') return noProxy
  if (due.is === 'unknown') {
    terminal.out(`${due.reply}\r\n`)
    return { is: 'over', exitCode: 1 }
  }
  const greeted = await greetProxy(process.stdin, connection, context)
  return greeted.is === 'closed' ? { is: 'over', exitCode: 0 } : { is: 'ready', head: greeted.rest }
}
