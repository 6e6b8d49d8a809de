/**
 * One process at work: takes connections, runs their sessions, delivers what was accepted, runs the queue. The same
 * for a single process and for a worker behind a privileged parent.
 */
import { loadavg } from 'node:os'
import type { Socket } from 'node:net'
import { plainAddress } from '../base/ip.ts'
import { isFailure } from '../base/outcome.ts'
import { textOf } from '../base/text.ts'
import { newConnection, type Queueing, type ReceiveServices } from '../flow/receive/services.ts'
import { runSession } from '../flow/receive/session.ts'
import { hostAndIdent } from '../mail/log-lines.ts'
import type { ConnectionFacts } from '../ports.ts'
import { IdleWatch } from '../wire/idle-watch.ts'
import { type Bind, type Listener, type ListenResult, startListener } from '../wire/listener.ts'
import { StreamIo } from '../wire/stream-io.ts'
import { type AcceptVerdict, decideAccept } from './accept-limits.ts'
import { RandomIds } from './random-ids.ts'
import { ConnectionCounts, type Counted, type Counts } from './connection-counts.ts'
import type { ListenAddress } from './listen-addresses.ts'
import type { RunRequest } from './queue.ts'
import type { RecordedSession } from './recorder.ts'
import type { Server } from './server.ts'
import { greetProxy, proxyDue } from './proxy-service.ts'
import { createOcspKeeper } from './ocsp-keeper.ts'
import { createTlsRoom } from './tls-room.ts'
import { prepareProofs, startTlsService, upgrade } from './tls-service.ts'

export interface MailServiceOptions {
  readonly addresses: readonly ListenAddress[]
  /** -odq and its kin; undefined: as configured. */
  readonly queueing?: Queueing | undefined
  /** Left out: this process is all there is. */
  readonly counts?: Counts | undefined
  /** `-os`. */
  readonly commandTimeoutMs?: number | undefined
  /** Queue runs: how often, and what each takes. */
  readonly queueRuns?: { readonly everySeconds: number | undefined; readonly request: RunRequest } | undefined
  /** Left out: this process binds its sockets itself. */
  readonly bind?: Bind | undefined
}

/** Sessions get so long to finish their message when the server stops, deliveries too. */
const drainMs = 10_000
/** After a reload the old sessions may go on so long. */
const retirementMs = 3_600_000

export class MailService {
  #server: Server
  readonly #options: MailServiceOptions
  readonly #watch = new IdleWatch()
  readonly #keeper = createOcspKeeper({
    folder: () => `${this.#server.facts.spoolDirectory}/ocsp`,
    now: Date.now,
    log: (line) => this.#server.log.main(undefined, line),
    addresses: async (host) => {
      const found = await this.#server.ports.hostAddresses(host)
      return found.is === 'found' ? found.addresses : []
    },
    worker: Number(process.env['POSTERN_WORKER'] ?? 0),
    wanted: () => this.#server.settings.tls_ocsp_fetch,
  })
  readonly #tls = createTlsRoom((line) => this.#server.log.main(undefined, line), this.#keeper)
  readonly #startTls = startTlsService(this.#tls, (io) => io.duplex)
  readonly #services = new WeakMap<Server, ReceiveServices>()
  /** Listening ports on which TLS begins with the first byte. */
  readonly #tlsPorts = new Set<number>()
  readonly #shutdown = new AbortController()
  readonly #counts: Counts
  readonly #ids = new RandomIds()
  readonly #sockets = new Set<Socket>()
  readonly #listeners = new Map<string, Listener>()
  #queueTimer: NodeJS.Timeout | undefined
  #queueRuns = 0
  #whenEmpty: (() => void)[] = []
  #load = { value: 0, readAt: 0 }

  constructor(server: Server, options: MailServiceOptions) {
    this.#server = server
    this.#options = options
    this.#counts = options.counts ?? new ConnectionCounts()
  }

  /** How many connections there are now. */
  get sessions(): number {
    return this.#sockets.size
  }

  /** What is really listened on. */
  get addresses(): ListenAddress[] {
    return [...this.#listeners.values()].flatMap((listener) =>
      listener.addresses.map((at) => ({ ...at, tlsOnConnect: false })),
    )
  }

  /** Listens on these addresses and no longer on others. When one cannot be had, all stays as it was. */
  async listen(addresses: readonly ListenAddress[]): Promise<ListenResult | undefined> {
    const wanted = new Map(addresses.map((at) => [`${at.address} ${at.port}`, at]))
    this.#tlsPorts.clear()
    for (const at of addresses) if (at.tlsOnConnect) this.#tlsPorts.add(at.port)
    const added: [string, Listener][] = []
    for (const [key, at] of wanted) {
      if (this.#listeners.has(key)) continue
      const { smtp_connect_backlog, smtp_accept_keepalive, tcp_nodelay } = this.#server.settings
      const result = await startListener({
        addresses: [at],
        bind: this.#options.bind,
        backlog: Math.max(smtp_connect_backlog, 511),
        keepalive: smtp_accept_keepalive,
        noDelay: tcp_nodelay,
        onSocket: (socket, listening) => void this.#accept(socket, listening.address, listening.port),
        onError: (problem) => this.#server.log.panic(undefined, `socket accept failure: ${problem}`),
      })
      if (result.is === 'failed') {
        // `::` beside `0.0.0.0` on a host without IPv6 is no mistake.
        if (at.address === '::' && result.code === 'EAFNOSUPPORT') continue
        for (const [, listener] of added) await listener.close()
        return result
      }
      added.push([key, result.listener])
    }
    for (const [key, listener] of this.#listeners) {
      if (wanted.has(key)) continue
      this.#listeners.delete(key)
      await listener.close()
    }
    for (const [key, listener] of added) this.#listeners.set(key, listener)
    this.#server.prepareLists()
    return undefined
  }

  /** Begins queue runs: one now, and one after each interval. */
  startQueueRuns(): void {
    const runs = this.#options.queueRuns
    if (runs === undefined) return
    void this.#runQueue(runs.request)
    if (runs.everySeconds === undefined) return
    this.#queueTimer = setInterval(() => void this.#runQueue(runs.request), runs.everySeconds * 1000)
  }

  /** New sessions and deliveries go by another configuration from now on; those under way end with the old one. */
  replace(server: Server): void {
    this.#server = server
    server.prepareLists()
    this.keepProofs()
  }

  /** `tls_ocsp_fetch`: fetches the proofs of our certificates ahead of time from now on. */
  keepProofs(): void {
    prepareProofs(this.#tls, this.#server.context()).catch((error: unknown) =>
      this.#server.fault('tls_ocsp_fetch', error),
    )
  }

  /** Ends: no new connections, sessions finish their message or get 421, deliveries under way are recorded. */
  async stop(): Promise<void> {
    clearInterval(this.#queueTimer)
    this.#keeper.close()
    for (const listener of this.#listeners.values()) await listener.close()
    this.#listeners.clear()
    this.#shutdown.abort()
    await atMost(this.#noSessions(), drainMs)
    this.cut()
    const queue = await this.#server.queue()
    await atMost(queue.drain(), drainMs)
  }

  /**
   * Others have taken the place: no new connections and no queue runs, but the sessions go on until their clients
   * end them, and what they hand in is delivered. A client that never ends gets 421 after `retirementMs`.
   */
  async retire(): Promise<void> {
    clearInterval(this.#queueTimer)
    this.#keeper.close()
    for (const listener of this.#listeners.values()) await listener.close()
    this.#listeners.clear()
    const until = Date.now() + retirementMs
    await atMost(this.#noSessions(), retirementMs)
    const queue = await this.#server.queue()
    await atMost(queue.idle(), Math.max(0, until - Date.now()))
  }

  /** Closes every connection now. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async #noSessions(): Promise<void> {
    if (this.#sockets.size > 0) await new Promise<void>((resolve) => this.#whenEmpty.push(resolve))
  }

  async #runQueue(request: RunRequest): Promise<void> {
    const most = await this.#server.number(this.#server.settings.queue_run_max, 5)
    if (most > 0 && this.#queueRuns >= most) return
    this.#queueRuns++
    try {
      const queue = await this.#server.queue()
      await queue.run({ ...request, leavesSlow: true })
    } catch (error) {
      this.#server.fault('queue run', error)
    } finally {
      this.#queueRuns--
    }
  }

  async #accept(socket: Socket, interfaceAddress: string, interfacePort: number): Promise<void> {
    const peer = plainAddress(socket.remoteAddress)
    if (peer === undefined) {
      socket.destroy()
      return
    }
    const visitor: Visitor = { server: this.#server, socket, host: peer }
    this.#sockets.add(socket)
    try {
      const talk = await this.#welcome(visitor, interfaceAddress, interfacePort)
      // All that is idle in a session waits here: this function is kept small.
      if (talk !== undefined) {
        const { io, connection, services, recorded } = talk
        await runSession(io, connection, services, recorded?.observer(services.context.ports))
      }
      if (talk !== undefined) finished(visitor, talk)
    } catch (error) {
      visitor.server.fault(`session of [${visitor.host}]`, error)
      if (!socket.destroyed) socket.end('421 Internal error: closing connection\r\n')
    } finally {
      this.#counts.remove(visitor.host)
      this.#sockets.delete(socket)
      if (this.#sockets.size === 0) for (const resolve of this.#whenEmpty.splice(0)) resolve()
    }
  }

  /** Counts and judges the connection; undefined: there is nothing to talk about. */
  async #welcome(
    visitor: Visitor,
    interfaceAddress: string,
    interfacePort: number,
  ): Promise<Dialogue | undefined> {
    const { server, socket, host } = visitor
    const counting = this.#counts.add(host)
    let counts = counting instanceof Promise ? await counting : counting
    const connection = newConnection({
      kind: 'smtp',
      hostAddress: host,
      hostPort: socket.remotePort,
      interfaceAddress: plainAddress(socket.localAddress) ?? interfaceAddress,
      interfacePort: socket.localPort ?? interfacePort,
      activeHostname: server.facts.primaryHostname,
      connectionId: this.#ids.next(),
      startedAt: server.ports.now(),
      countAtStart: counts.total,
    })
    const due = await proxyDue(server.context({ connection }))
    if (due.is === 'unknown') return refuse(server, socket, connection, { ...due, is: 'refused' })
    const client: Client = { host, counts, perHost: due.is === 'no' || !countsClient(server) }
    const verdict = await this.#decide(server, connection, client)
    server.ports.count?.('connections_total', verdict.is === 'welcome' ? 'welcome' : 'refused')
    if (verdict.is !== 'welcome') return refuse(server, socket, connection, verdict)
    const { queueWhy } = verdict
    if (due.is === 'no') return this.#dialogue(server, socket, connection, queueWhy)
    const greeted = await greetProxy(socket, connection, server.context({ connection }))
    if (greeted.is === 'closed') {
      socket.destroy()
      return undefined
    }
    const behind = connection.hostAddress ?? host
    if (!client.perHost && behind !== host) {
      const moving = this.#counts.move(host, behind)
      visitor.host = behind
      counts = await moving
      const again = await this.#decide(server, connection, { host: behind, counts, perHost: true })
      if (again.is !== 'welcome') return refuse(server, socket, connection, again)
    }
    return this.#dialogue(server, socket, connection, queueWhy, greeted.rest)
  }

  async #decide(
    server: Server,
    connection: ConnectionFacts,
    { host, counts, perHost: applies }: Client,
  ): Promise<AcceptVerdict> {
    const { settings } = server
    const context = server.context({ connection })
    const perHost = settings.smtp_accept_max_per_host
    const verdict = decideAccept({
      connections: counts.total - 1,
      fromThisHost: counts.fromHost - 1,
      smtpAcceptMax: settings.smtp_accept_max,
      smtpAcceptReserve: settings.smtp_accept_reserve,
      smtpAcceptMaxPerHost: perHost === undefined || !applies ? 0 : await server.number(perHost, 0, context),
      smtpAcceptQueue: settings.smtp_accept_queue,
      smtpLoadReserve: settings.smtp_load_reserve,
      hasReserveHosts: settings.smtp_reserve_hosts !== undefined,
      load: this.#loadNow(),
    })
    context.debug?.(
      'load',
      `system load average = ${this.#load.value.toFixed(2)} (smtp_load_reserve ${settings.smtp_load_reserve ?? 'unset'})`,
    )
    if (verdict.is !== 'reserved') return verdict
    const reserved = settings.smtp_reserve_hosts
    if (reserved === undefined) return verdict
    const found = await server.ports.matchList('host', reserved, { address: host }, context)
    return found.is === 'match' ? { is: 'welcome' } : verdict
  }

  async #dialogue(
    server: Server,
    socket: Socket,
    connection: ConnectionFacts,
    queueWhy: string | undefined,
    head?: Buffer,
  ): Promise<Dialogue | undefined> {
    const active = server.settings.smtp_active_hostname
    if (active.text !== '$primary_hostname') {
      const name = await server.ports.expand(active, server.context({ connection }))
      if (!isFailure(name) && textOf(name) !== '') connection.activeHostname = textOf(name)
    }
    const onConnect = this.#tlsPorts.has(connection.interfacePort)
    if (onConnect && head !== undefined && head.length > 0) socket.unshift(head)
    const secured = onConnect
      ? await upgrade(this.#tls, socket, server.context({ connection }), true)
      : undefined
    if (secured?.is === 'failed') return undefined
    const stream = secured?.socket ?? socket
    const io = new StreamIo({
      input: stream,
      output: stream,
      watch: this.#watch,
      shutdown: this.#shutdown.signal,
      head: onConnect ? undefined : head,
    })
    // Reading the header has paused it.
    if (head !== undefined) stream.resume()
    const common = await this.#servicesOf(server)
    const services = queueWhy === undefined ? common : { ...common, queueWhy }
    if (onConnect) await services.auth?.afterTls(server.context({ connection }))
    const recorded = server.recorder?.session(connection)
    return { io, connection, services, recorded }
  }

  /** The same for all sessions of one configuration. */
  async #servicesOf(server: Server): Promise<ReceiveServices> {
    const known = this.#services.get(server)
    if (known !== undefined) return known
    const made: ReceiveServices = {
      ...(await server.receiving()),
      startTls: this.#startTls,
      shutdown: this.#shutdown.signal,
      queueing: this.#options.queueing,
      commandTimeoutMs: this.#options.commandTimeoutMs,
      load: this.#loadNow,
    }
    this.#services.set(server, made)
    return made
  }

  /** The load average, asked for at most once a second. */
  readonly #loadNow = (): number => {
    const now = Date.now()
    if (now - this.#load.readAt > 1000) this.#load = { value: loadavg()[0] ?? 0, readAt: now }
    return this.#load.value
  }
}

/** Who has connected. */
interface Visitor {
  readonly server: Server
  readonly socket: Socket
  /** Whom the connection counts for. */
  host: string
}

/** What a session is made of. */
interface Dialogue {
  readonly io: StreamIo
  readonly connection: ConnectionFacts
  readonly services: ReceiveServices
  readonly recorded: RecordedSession | undefined
}

function finished({ server }: Visitor, { recorded, connection }: Dialogue): void {
  recorded?.finish()
  if (connection.tls !== undefined) server.ports.count?.('tls_sessions_total', 'in', connection.tls.version)
}

/** Whose connections are counted, and whether `smtp_accept_max_per_host` applies already. */
interface Client {
  readonly host: string
  readonly counts: Counted
  readonly perHost: boolean
}

function countsClient(server: Server): boolean {
  return server.settings.smtp_accept_max_per_host_counts_client
}

function refuse(
  server: Server,
  socket: Socket,
  connection: ConnectionFacts,
  verdict: Exclude<AcceptVerdict, { readonly is: 'welcome' }>,
): undefined {
  const forNow = verdict.is === 'reserved'
  if (server.log.selects('connection_reject')) {
    const who = hostAndIdent(connection, server.log, false)
    server.log.main(
      undefined,
      forNow
        ? `temporarily refused connection from ${who}: ${verdict.why}`
        : `Connection from ${who} refused: ${verdict.why}`,
    )
  }
  socket.end(`${forNow ? `421 ${connection.activeHostname}: ` : ''}${verdict.reply}\r\n`)
  socket.resume()
  setTimeout(() => socket.destroy(), 2000).unref()
  return undefined
}

async function atMost(work: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([work, limit])
  clearTimeout(timer)
}
