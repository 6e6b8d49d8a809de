/** An SMTP session over standard input and output: `-bs`, `-bh`, `-bhc`. */
import { randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { encodeUtf8 } from '../../base/text.ts'
import { noteSubmission } from '../../flow/receive/prepare.ts'
import type { ReceiveServices } from '../../flow/receive/services.ts'
import { newConnection, type NewConnection } from '../../flow/receive/services.ts'
import { runSession } from '../../flow/receive/session.ts'
import type { ConnectionFacts } from '../../ports.ts'
import { startTlsService, upgrade } from '../../server/tls-service.ts'
import { IdleWatch } from '../../wire/idle-watch.ts'
import { StreamIo } from '../../wire/stream-io.ts'
import { StreamPair } from '../../wire/stream-pair.ts'
import { createTlsRoom } from '../../server/tls-room.ts'
import type { ServerCall } from './call.ts'
import { splitHostPort } from './host-port.ts'
import { has, valueOf } from './parse.ts'

/** The connection that the -oM flags of a trusted caller describe. */
export function describedConnection(
  call: ServerCall,
  known: Pick<NewConnection, 'kind' | 'hostChecking'> & {
    readonly host?: string | undefined
    /** Our own end of the connection. */
    readonly at?: string | undefined
    /** Nothing is taken: any caller may say what he likes. Source: Exim manual, "-oMa". */
    readonly testing?: boolean
  },
): ConnectionFacts {
  const { invocation, caller, rights, server } = call
  const trusted = (
    flag: '-oMa' | '-oMi' | '-oMr' | '-oMs' | '-oMt' | '-oMaa' | '-oMai' | '-oMas',
  ): string | undefined =>
    rights.trusted || known.hostChecking === true || known.testing === true
      ? valueOf(invocation, flag)
      : undefined
  const host = splitHostPort(known.host ?? trusted('-oMa') ?? '')
  const at = splitHostPort(trusted('-oMi') ?? known.at ?? '')
  const connection = newConnection({
    kind: known.kind,
    hostAddress: host?.address,
    hostPort: host?.port,
    interfaceAddress: at?.address,
    interfacePort: at?.port,
    activeHostname: server.facts.primaryHostname,
    connectionId: randomBytes(6).toString('hex'),
    startedAt: Date.now(),
    countAtStart: 0,
    hostChecking: known.hostChecking ?? false,
    // The caller's name too where -oMa tells of a host: Exim manual, -oMt.
    ident:
      trusted('-oMt') ?? (known.host === undefined && known.hostChecking !== true ? caller.login : undefined),
    ...(host === undefined || known.kind !== 'smtp'
      ? { caller: { uid: caller.uid, gid: caller.gid, login: caller.login, trusted: rights.trusted } }
      : {}),
  })
  const [protocol, name] = /^([^:]*)(?::(.*))?$/.exec(valueOf(invocation, '-p') ?? '')?.slice(1) ?? []
  const given = trusted('-oMr') ?? (rights.trusted ? protocol : undefined)
  if (given !== undefined && given !== '') connection.protocol = given
  else if (invocation.calledAs === 'rmail' && known.kind === 'local') connection.protocol = 'local-rmail'
  const hostName = trusted('-oMs') ?? (rights.trusted ? name : undefined)
  if (hostName !== undefined && hostName !== '') {
    connection.hostName = hostName
    connection.hostLookup = 'found'
  }
  const fullName = valueOf(invocation, '-F')
  noteSubmission(connection, {
    fullName: fullName === undefined ? undefined : encodeUtf8(fullName),
    qualify: !has(invocation, '-bnq'),
    gateway: has(invocation, '-G'),
  })
  connection.authenticatedBy = trusted('-oMaa')
  // In a dialogue a trusted caller is nobody yet, and another one is known by the login alone.
  const own = known.kind === 'local' || (host === undefined && !rights.trusted)
  connection.authenticatedId = trusted('-oMai') ?? (own ? caller.login : undefined)
  connection.authenticatedSender =
    trusted('-oMas') ?? (known.kind === 'local' ? `${caller.login}@${server.facts.qualifyDomain}` : undefined)
  return connection
}

/** For `-be`, `-bf`, `-bt` and `-bv`: who calls, and what the -oM flags say. */
export function testedConnection(call: ServerCall, protocol: 'local' | '' = ''): ConnectionFacts {
  const connection = describedConnection(call, { kind: 'local', testing: true })
  if (connection.protocol === 'local') connection.protocol = protocol
  return connection
}

export interface StdinDialogue {
  /** TLS begins with the first byte. */
  readonly onConnect?: boolean
  /** Bytes that came with the header of a proxy; standard input is paused. */
  readonly head?: Buffer | undefined
}

/** Runs the dialogue on standard input and output until it ends; the exit code is 1 when the input ends first. */
export async function converseOnStdin(
  connection: ConnectionFacts,
  services: ReceiveServices,
  shutdown: AbortController,
  { onConnect = false, head }: StdinDialogue = {},
): Promise<0 | 1> {
  const stop = (): void => shutdown.abort()
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
  const tls = createTlsRoom((line) => services.context.ports.log.main(undefined, line))
  const context = { ...services.context, connection }
  if (onConnect && head !== undefined && head.length > 0) process.stdin.unshift(head)
  const secured = onConnect ? await upgrade(tls, standardStreams(), context, true) : undefined
  if (secured?.is === 'failed') return 1
  const io = new StreamIo({
    input: secured?.socket ?? process.stdin,
    output: secured?.socket ?? process.stdout,
    watch: new IdleWatch(),
    shutdown: shutdown.signal,
    head: onConnect ? undefined : head,
  })
  // Reading the header has paused it.
  if (head !== undefined) (secured?.socket ?? process.stdin).resume()
  const { lost } = await runSession(io, connection, {
    ...services,
    ...(connection.hostChecking ? {} : { startTls: startTlsService(tls, standardStreams) }),
    shutdown: shutdown.signal,
  })
  process.off('SIGTERM', stop)
  process.off('SIGINT', stop)
  // Behind TLS it is nobody's: left open, it would hold the process.
  process.stdin.destroy()
  return lost ? 1 : 0
}

/** Both standard streams as one, for TLS. */
function standardStreams(): Duplex {
  const both = new StreamPair(process.stdin, process.stdout)
  // Its end is the session's: the TLS layer above tells of it.
  both.on('error', () => undefined)
  return both
}
