/** `-bh`, `-bhc`: plays a session as if from an address; nothing is kept. Source: Exim manual, "-bh". */
import type { ReceiveServices } from '../../../flow/receive/services.ts'
import type { Log } from '../../../ports.ts'
import type { ServerCall } from '../call.ts'
import { splitHostPort } from '../host-port.ts'
import { valueOf } from '../parse.ts'
import { converseOnStdin, describedConnection } from '../stdin-session.ts'
import type { Terminal } from '../terminal.ts'

export async function run(call: ServerCall): Promise<number> {
  const { invocation, server, terminal } = call
  const given = valueOf(invocation, '-bh', '-bhc') ?? ''
  const host = splitHostPort(given)
  if (host === undefined) {
    terminal.err(`${invocation.calledAs} abandoned: "${given}" is not an IP address\n`)
    return 1
  }
  terminal.out(
    `\n**** SMTP testing session as if from host ${host.address}\n` +
      '**** but without any ident (RFC 1413) callback.\n**** This is not for real!\n\n',
  )
  const connection = describedConnection(call, { kind: 'smtp', host: given, hostChecking: true })
  if (valueOf(invocation, '-bhc') === undefined) connection.extra.set('no callouts', true)
  const base = await server.receiving()
  const context = server.context()
  const services: ReceiveServices = {
    ...base,
    context: {
      ...context,
      // The dialogue may come from a file: there is no client who could wait for replies.
      settings: { ...context.settings, smtp_enforce_sync: false },
      ports: { ...context.ports, log: loggedOnStderr(terminal, server.log) },
      // How a router comes to its verdict is for -d; that it was called is told. The dialogue itself is seen anyway.
      debug: (category, line) => {
        if (category !== 'route' && category !== 'receive') terminal.err(`>>> ${line}\n`)
      },
    },
  }
  await converseOnStdin(connection, services, new AbortController())
  return 0
}

/** Lines that would be logged are shown instead. */
function loggedOnStderr(terminal: Terminal, log: Log): Log {
  const show = (id: string | undefined, text: string): void =>
    terminal.err(`LOG: ${id === undefined ? '' : `${id} `}${text}\n`)
  return {
    selects: (selector, port) => log.selects(selector, port),
    main: (id, text) => show(id, text),
    reject: (id, text) => show(id, text),
    panic: (id, text) => show(id, text),
  }
}
