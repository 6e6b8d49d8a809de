/**
 * The daemon in one process: binds, gives up root where it has it and needs it no more, serves, obeys signals.
 * Source: Exim manual, "-bd"; "Starting the daemon and the use of network interfaces".
 */
import { formatInterval } from '../base/interval.ts'
import type { Queueing } from '../flow/receive/services.ts'
import type { LeftBehind } from '../store/spool/api.ts'
import { type DroppedMessage, type DropVerdict, makeDropFolder, watchDrop } from '../store/drop.ts'
import { startDailyReports } from './daily-reports.ts'
import { dropFolderOf } from './drop-folder.ts'
import type { Counts } from './connection-counts.ts'
import { giveBackWhenQuiet } from './idle-memory.ts'
import { describeAddresses, type ListenAddress, listenAddresses } from './listen-addresses.ts'
import { MailService } from './mail-service.ts'
import type { Metrics } from './metrics/index.ts'
import type { Bind } from '../wire/listener.ts'
import type { Channel } from './privileged/messages.ts'
import { removePidFile, writePidFile } from './pid-file.ts'
import type { ProcessState } from './process-state.ts'
import type { RunRequest } from './queue.ts'
import type { Server } from './server.ts'
import { servicePort } from './service-ports.ts'
import { certificateWarning, startedLine } from './start-lines.ts'
import { ownProcessKey, takeLock } from '../store/spool/process-key.ts'
import { recordVersion } from '../store/spool/versions.ts'
import { eximVersion, posternVersion } from './version.ts'

export interface DaemonOptions {
  readonly listen: boolean
  /** Value of -oX. */
  readonly override?: string | undefined
  /** Where to write the pid; undefined: nowhere. */
  readonly pidFile: string | undefined
  readonly queueing?: Queueing | undefined
  /** `-os`. */
  readonly commandTimeoutMs?: number | undefined
  /** `-tls-on-connect`: on all ports. */
  readonly tlsOnConnect?: boolean
  readonly queueRuns?: { readonly everySeconds: number | undefined; readonly request: RunRequest } | undefined
  readonly state: ProcessState
  /** Of all workers together; left out: this process is the only one. */
  readonly counts?: Counts | undefined
  /** Reads the configuration again, for SIGHUP; absent in a worker, which the parent replaces. */
  reload?(): Promise<
    { readonly is: 'server'; readonly server: Server } | { readonly is: 'kept'; readonly why: string }
  >
  /** Takes a message from the drop folder; absent: the folder is not watched. */
  readonly takeDropped?: (message: DroppedMessage, server: Server) => Promise<DropVerdict>
  /** A worker behind a privileged parent: the parent tells of the start, obeys SIGHUP and says when to end or to retire. */
  readonly worker?:
    | {
        readonly stop: AbortSignal
        readonly retire: AbortSignal
        readonly parent?: Channel
        readonly bind?: Bind
        /** Those of the daemon: one of its workers makes them. */
        readonly queueRuns?: DaemonOptions['queueRuns']
      }
    | undefined
  /** Called once it listens, with the line of the main log. */
  onStarted?(addresses: readonly ListenAddress[], line: string): void
}

/** Longest wait for another process that takes messages of local users. */
const dropLockMs = 600_000

export type DaemonResult = { readonly is: 'ended' } | { readonly is: 'failed'; readonly message: string }

/** What is to be listened on according to a configuration. */
export async function wantedAddresses(
  server: Server,
  options: Pick<DaemonOptions, 'listen' | 'override' | 'tlsOnConnect'>,
): Promise<
  | { readonly is: 'addresses'; readonly addresses: readonly ListenAddress[] }
  | { readonly is: 'wrong'; readonly message: string }
> {
  if (!options.listen) return { is: 'addresses', addresses: [] }
  const { settings } = server
  const { debug } = server.context()
  const wanted = listenAddresses(
    {
      interfaces: await server.list(settings.local_interfaces),
      ports: settings.daemon_smtp_ports,
      tlsOnConnectPorts: settings.tls_on_connect_ports ?? [],
      disableIpv6: settings.disable_ipv6,
      override: options.override,
    },
    servicePort,
  )
  if (debug !== undefined) {
    debug('interface', `Actual local interface addresses are: ${server.facts.localInterfaces().join(' ')}`)
    if (wanted.is === 'addresses')
      for (const { address, port } of wanted.addresses)
        debug('interface', `listening on ${address} port ${port}`)
  }
  if (wanted.is === 'wrong' || options.tlsOnConnect !== true) return wanted
  return { is: 'addresses', addresses: wanted.addresses.map((at) => ({ ...at, tlsOnConnect: true })) }
}

/** The line of the main log that tells of the start, and what exiwhat shows. */
export function startLine(addresses: readonly ListenAddress[], options: DaemonOptions): string {
  const every = (options.worker?.queueRuns ?? options.queueRuns)?.everySeconds
  const runs = every === undefined ? 'no queue runs' : `-q${formatInterval(every)}`
  const listening = addresses.length === 0 ? 'not listening for SMTP' : describeAddresses(addresses)
  return `${runs}, ${listening}`
}

/** Runs until a signal ends it. */
export async function runDaemon(first: Server, options: DaemonOptions): Promise<DaemonResult> {
  let server = first
  const wanted = await wantedAddresses(server, options)
  if (wanted.is === 'wrong') return { is: 'failed', message: wanted.message }
  await server.spool('write')
  noteVersion(server)
  // Events that an earlier process left are handed on although no mail comes.
  if (server.settings.event_stream !== undefined) await server.queue()
  const service = new MailService(server, {
    addresses: wanted.addresses,
    counts: options.counts,
    queueing: options.queueing,
    commandTimeoutMs: options.commandTimeoutMs,
    queueRuns: options.queueRuns,
    bind: options.worker?.bind,
  })
  const trouble = await listenAtLast(service, wanted.addresses, server)
  if (trouble?.is === 'failed')
    return { is: 'failed', message: listenSentence(trouble.at, trouble.code, trouble.message) }
  const { pidFile } = options
  if (pidFile !== undefined) {
    const problem = writePidFile(pidFile, process.pid)
    if (problem !== undefined) server.log.panic(undefined, problem)
  }
  announce()
  server.store.whenTakenOver((left) => void takeOver(left))
  service.startQueueRuns()
  const endReports = startDailyReports(() => server)
  service.keepProofs()
  const endLooking = giveBackWhenQuiet()
  const drop = watchDropFolder()
  let metrics = await openMetrics()

  let failure: string | undefined
  await new Promise<void>((resolve) => {
    let ending = false
    server.store.whenFailed((why) => {
      failure = `the spool cannot be written durably any more (${why}); this process ends`
      server.log.panic(undefined, failure)
      if (!ending) end()
    })
    const end = (): void => {
      if (ending) {
        // The second signal: no waiting any more. What is not recorded is done again at the next start.
        service.cut()
        setTimeout(() => process.exit(0), 500)
        return
      }
      ending = true
      options.state.describe('daemon: ending')
      void service.stop().then(resolve)
    }
    process.on('SIGTERM', end)
    process.on('SIGINT', () => {
      // From a terminal it comes to all: the parent tells its workers.
      if (options.worker === undefined) end()
    })
    process.on('SIGHUP', () => {
      if (options.worker === undefined) void reload()
    })
    const whenAborted = (signal: AbortSignal | undefined, act: () => void): void => {
      // It may have been said while the daemon was beginning.
      if (signal?.aborted === true) act()
      else signal?.addEventListener('abort', act)
    }
    whenAborted(options.worker?.stop, end)
    whenAborted(options.worker?.retire, () => {
      options.state.describe('daemon: others serve now, my sessions go on')
      endReports()
      void drop?.close()
      metrics?.retire()
      void service.retire().then(() => {
        if (!ending) end()
      })
    })
    // Who hears of the start may send a signal at once.
    options.onStarted?.(service.addresses, startLine(service.addresses.map(withTls), options))
  })
  endLooking()
  endReports()
  await metrics?.close()
  await drop?.close()
  if (pidFile !== undefined) removePidFile(pidFile, process.pid)
  await server.close()
  return failure === undefined ? { is: 'ended' } : { is: 'failed', message: failure }

  /** What waits for a queue run by the administrator's wish goes on waiting. */
  async function takeOver({ held, untried }: LeftBehind): Promise<void> {
    const waits = server.settings.queue_only || options.queueing !== undefined
    try {
      const queue = await server.queue()
      queue.takeOver(waits ? held : [...held, ...untried])
    } catch (error) {
      server.fault('taking over from a process that died', error)
    }
  }

  function watchDropFolder(): { close(): Promise<void> } | undefined {
    const { takeDropped } = options
    if (takeDropped === undefined) return undefined
    const folder = dropFolderOf(server.facts.spoolDirectory)
    try {
      makeDropFolder(folder)
      return watchDrop(folder, {
        handle: (message) => takeDropped(message, server),
        log: (line) => server.log.main(undefined, line),
        now: () => server.ports.now(),
        async alone(work) {
          const unlock = await takeLock(
            server.facts.spoolDirectory,
            'drop-lock',
            ownProcessKey(),
            dropLockMs,
            undefined,
          )
          try {
            return await work()
          } finally {
            unlock()
          }
        },
      })
    } catch (error) {
      // Without it only those with a right to the spool can submit locally.
      const why = error instanceof Error ? error.message : String(error)
      server.log.main(undefined, `no drop folder for local users: ${why}`)
      return undefined
    }
  }

  async function openMetrics(): Promise<Metrics | undefined> {
    const { counters } = server.store
    if (server.settings.metrics_listen === undefined || counters === undefined) return undefined
    const { startMetrics } = await import('./metrics/index.ts')
    return startMetrics({
      server: () => server,
      counters,
      sessions: () => service.sessions,
      channel: options.worker?.parent,
      bind: options.worker?.bind,
    })
  }

  function announce(): void {
    const line = startLine(service.addresses.map(withTls), options)
    if (options.worker === undefined) {
      const warning = certificateWarning(server)
      if (warning !== undefined) server.log.main(undefined, warning)
      server.log.main(undefined, startedLine(line))
    }
    options.state.describe(`daemon(${eximVersion}): ${line}`)
  }

  function withTls(at: ListenAddress): ListenAddress {
    if (wanted.is === 'wrong') return at
    return {
      ...at,
      tlsOnConnect: wanted.addresses.some((each) => each.port === at.port && each.tlsOnConnect),
    }
  }

  async function reload(): Promise<void> {
    server.log.main(undefined, `pid ${process.pid}: SIGHUP received: re-exec daemon`)
    const result = await options.reload?.()
    if (result === undefined) return
    if (result.is === 'kept') {
      server.log.panic(undefined, `the configuration in force is kept: ${result.why}`)
      return
    }
    const addresses = await wantedAddresses(result.server, options)
    const listening = addresses.is === 'wrong' ? addresses : await service.listen(addresses.addresses)
    if (listening?.is === 'wrong' || listening?.is === 'failed') {
      server.log.panic(undefined, `the configuration in force is kept: ${listening.message}`)
      return
    }
    server.retire()
    server = result.server
    service.replace(server)
    await metrics?.close()
    metrics = await openMetrics()
    announce()
  }
}

/** So that a later version knows what ran before it. */
function noteVersion({ facts, log, user }: Server): void {
  try {
    const before = recordVersion(facts.spoolDirectory, posternVersion, Date.now(), user)
    if (before !== undefined)
      log.main(undefined, `Postern ${posternVersion} takes the spool over from Postern ${before}`)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    log.main(undefined, `the version cannot be written into the spool: ${why}`)
  }
}

/**
 * `daemon_startup_retries`: waits for a port that is taken, when the configuration asks for it.
 * Differs from Exim: not asked, it does not wait, since who starts a daemon by hand wants to know.
 */
async function listenAtLast(
  service: MailService,
  addresses: readonly ListenAddress[],
  { settings, configuration, log }: Server,
): Promise<Awaited<ReturnType<MailService['listen']>>> {
  const asked = ['daemon_startup_retries', 'daemon_startup_sleep'].some((name) =>
    configuration.mainSetAt.has(name),
  )
  const seconds = settings.daemon_startup_sleep
  for (let left = asked ? settings.daemon_startup_retries : 0; ; left--) {
    const trouble = await service.listen(addresses)
    if (trouble?.is !== 'failed' || trouble.code !== 'EADDRINUSE' || left <= 0) return trouble
    const { address, port } = trouble.at
    log.main(
      undefined,
      `socket bind() to port ${port} for address ${address} failed: Address already in use: waiting ${formatInterval(seconds)} before trying again (${left} more ${left === 1 ? 'try' : 'tries'})`,
    )
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
  }
}

/** Why an address cannot be had, and what to do. */
export function listenSentence(
  at: { readonly address: string; readonly port: number },
  code: string,
  message: string,
): string {
  const place = `${at.address.includes(':') ? `[${at.address}]` : at.address}:${at.port}`
  switch (code) {
    case 'EADDRINUSE':
      return `cannot listen on ${place}: another program does already (find it with: ss -ltnp 'sport = :${at.port}')`
    case 'EACCES':
      return `cannot listen on ${place}: ports below 1024 need root`
    case 'EADDRNOTAVAIL':
      return `cannot listen on ${place}: this host has no such address`
    default:
      return `cannot listen on ${place}: ${message}`
  }
}
