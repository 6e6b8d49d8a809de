/** Puts a configuration into force: facts, ports, logs. Spool, hints and queue are opened when first asked for. */
import { dirname } from 'node:path'
import type { Diagnostic } from '../base/diagnostic.ts'
import { isFailure } from '../base/outcome.ts'
import { textOf, type ByteString } from '../base/text.ts'
import { createAccounts } from '../base/accounts.ts'
import { parseAddress } from '../mail/parse-address.ts'
import type { Expandable } from '../base/expandable.ts'
import type { Lookups } from '../language/lookups/index.ts'
import type { Configuration } from '../language/config/configuration.ts'
import type { Accounts, Context, Ports } from '../ports.ts'
import type { Resolver } from '../wire/dns/index.ts'
import { buildValues } from './build-table.ts'
import { serverFacts } from './facts.ts'
import { systemFiles } from './files.ts'
import type { Flow } from './flow.ts'
import { interfaceAddresses, primaryHostname } from './host-name.ts'
import { createLog, type LogFiles } from './log-files.ts'
import type { AsUser } from './privileged/run-as.ts'
import type { DeliveryQueue } from './queue.ts'
import { runTimeUser } from './run-time-user.ts'
import type { SyslogWriter } from './syslog.ts'
import type { ContextParts, Server } from './server.ts'
import { watchPorts } from './debug-ports.ts'
import { shownLog } from './shown-log.ts'
import { StoreRoom } from './store-room.ts'
import { metricsProblem } from './metrics/place.ts'
import { createPorts } from './wire.ts'

export interface OpenOptions {
  readonly configuration: Configuration
  /** Path of the program, for `$exim_path` and for calls of ourselves. */
  readonly programPath: string
  /** `POSTERN_DNS` and the like count only when the caller may say so. */
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly accounts?: Accounts
  /** From the server that this one replaces: spool and hints stay open. */
  readonly store?: StoreRoom
  /** Deliveries and looks at files under other uids. */
  readonly asUser?: AsUser | undefined
  /** `-v`: takes what is logged, to show it. */
  readonly show?: ((text: string) => void) | undefined
  /** `-d`: takes one line of debugging text. */
  readonly debug?: ((category: string, line: string) => void) | undefined
  /** `-L`, in place of `syslog_processname`. */
  readonly syslogName?: string | undefined
  /** `-N`. */
  readonly pretend?: boolean
  /** A short call beside a daemon, not a daemon. */
  readonly brief: boolean
  /** A short call whose messages and deliveries count for `/metrics` and `explain_store`. */
  readonly counts?: boolean
}

export type OpenResult =
  | { readonly is: 'open'; readonly server: Server }
  | {
      readonly is: 'wrong'
      readonly message: string
      /** The same with its place in the configuration, where it has one. */
      readonly diagnostic?: Diagnostic
    }

export async function openServer(options: OpenOptions): Promise<OpenResult> {
  const { configuration } = options
  const settings = configuration.main
  const accounts = options.accounts ?? createAccounts()
  // The resolver matches lists, whose engine may ask the resolver.
  const late: { ports: Ports | undefined } = { ports: undefined }
  let opened:
    | Promise<{ readonly resolver: Resolver; readonly lookUpHostName: Ports['lookUpHostName'] }>
    | undefined
  const openResolver = async () => {
    const { createHostNames, createResolver } = await import('../wire/dns/index.ts')
    const resolver = createResolver({
      settings,
      environment: options.environment,
      async matches(list, domain) {
        const found = await late.ports?.matchList('domain', list, domain, context())
        return found?.is === 'match'
      },
    })
    const lookUpHostName = createHostNames({ resolver, order: settings.host_lookup_order })
    return { resolver, lookUpHostName }
  }
  const wantNames = () => (opened ??= openResolver())
  const name = settings.primary_hostname ?? (await primaryHostname(async () => (await wantNames()).resolver))

  // The log is asked for only after `log_file_path` has been expanded; until then lines wait.
  const early: (() => void)[] = []
  let log: LogFiles = earlyLog(early, () => log)
  const store =
    options.store ??
    new StoreRoom({
      brief: options.brief,
      now: Date.now,
      log: (line) => log.main(undefined, line),
      messageIdForm: settings.message_id_form === 'short' ? 'short' : 'long',
    })
  let user = { name: '', uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 }
  const knownFacts = {
    configuration,
    primaryHostname: name,
    localInterfaces: interfaceAddresses(Date.now),
    programPath: options.programPath,
    queueSize: () => store.queueSize(),
  }
  let facts = serverFacts({ ...knownFacts, user, spoolDirectory: buildValues.spoolDirectory })
  let flow: Promise<Flow> | undefined
  let closeLookups = (): void => undefined
  // Nothing is done under other uids: Exim manual, "Running Exim without privilege".
  const staysItself = settings.deliver_drop_privilege || settings.mua_wrapper
  const delegate: { current: AsUser | undefined } = { current: staysItself ? undefined : options.asUser }
  const wantFlow = (): Promise<Flow> => {
    flow ??= Promise.all([import('./flow.ts'), wantNames()]).then(([{ createFlow }, { resolver }]) =>
      createFlow(server, store, {
        searchDomains: () => resolver.searchDomains(),
        runAs: () => delegate.current?.run,
        pretend: options.pretend ?? false,
        queue: () => server.queue(),
        openedQueue: () => openedQueue,
      }),
    )
    return flow
  }
  let queue: Promise<DeliveryQueue> | undefined
  let openedQueue: DeliveryQueue | undefined
  const openQueue = async (): Promise<DeliveryQueue> => {
    const opening = await import('./open-queue.ts')
    openedQueue = opening.openQueue(server, await store.spool('write'), async () =>
      (await wantFlow()).delivering(),
    )
    return openedQueue
  }
  let lookups: Lookups | undefined
  const made = createPorts(
    {
      async dns(name, type, how) {
        const { resolver } = await wantNames()
        const start = performance.now()
        const answer = await resolver.dns(name, type, how)
        const tookMs = performance.now() - start
        if (settings.slow_lookup_log > 0 && tookMs >= settings.slow_lookup_log)
          log.main(undefined, `Long ${type} lookup for '${name}': ${Math.round(tookMs)} msec`)
        return answer
      },
      hostAddresses: async (name, how) => (await wantNames()).resolver.hostAddresses(name, how),
      lookUpHostName: async (connection, within) => (await wantNames()).lookUpHostName(connection, within),
      accounts,
      files: {
        ...systemFiles,
        get asUser() {
          return delegate.current?.files
        },
      },
      hints: store.hints,
      log: () => log,
      eventSink: { take: (...event) => store.events?.take(...event) },
    },
    {
      async runAcl() {
        const { createAclEngine } = await import('../policy/acl/index.ts')
        return createAclEngine().runAcl
      },
      async lookup() {
        const { createLookups } = await import('../language/lookups/index.ts')
        const { spfLookup } = await import('../policy/msgauth/spf/lookup.ts')
        const created = createLookups({ extra: [spfLookup] })
        lookups = created
        closeLookups = () => created.close()
        return (request, within) => created.lookup(request, within)
      },
      async verify() {
        const { routing } = await wantFlow()
        return (request, within) => routing.verify(request, within)
      },
    },
  )

  const badMetrics =
    settings.metrics_listen === undefined
      ? undefined
      : metricsProblem(settings.metrics_listen, settings.metrics_hosts !== undefined)
  if (badMetrics !== undefined) return { is: 'wrong', message: badMetrics }
  let counted: Ports = made
  if (settings.metrics_listen !== undefined && (!options.brief || options.counts === true)) {
    const { Counters } = await import('./metrics/counters.ts')
    const { countPorts } = await import('./metrics/count-ports.ts')
    counted = countPorts(made, (store.counters ??= new Counters()))
  }
  const ports = options.debug === undefined ? counted : watchPorts(counted, options.debug)
  late.ports = ports

  function context(parts: ContextParts = {}): Context {
    const { debug } = options
    return {
      server: facts,
      settings,
      ports,
      captures: [],
      variables: new Map(),
      debug,
      // A recorded session sets it: docs/decisions/building.md, "Copies of objects get no new properties".
      trace: undefined,
      ...parts,
    }
  }
  async function text(setting: Expandable | undefined, within = context()): Promise<ByteString | undefined> {
    if (setting === undefined) return undefined
    const value = await ports.expand(setting, within)
    if (!isFailure(value)) return textOf(value)
    if (value.kind !== 'forced') wrong(setting, `failed to expand ${setting.name}: ${value.message}`)
    return undefined
  }
  async function list(
    setting: Expandable | undefined,
    within = context(),
  ): Promise<ByteString[] | undefined> {
    const value = await text(setting, within)
    return value === undefined ? undefined : ports.splitList(value).map(textOf)
  }

  /** Whoever may not deliver, or may do more than others, must be known before anything runs. */
  async function checkAccounts(
    setting: Expandable | undefined,
    kind: string,
    find: (name: string) => unknown,
  ): Promise<void> {
    // Names that stand there as they are were looked up when they were read.
    if (setting?.text.includes('$') !== true) return
    for (const name of (await list(setting)) ?? []) {
      if (!/^-?\d+$/.test(name) && name !== '' && find(name) === undefined)
        wrong(setting, `${kind} ${name} was not found`)
    }
  }

  const problems: Diagnostic[] = []
  function wrong(setting: Expandable, message: string): void {
    problems.push({ code: 'start-value', severity: 'error', fatal: true, message, at: setting.span() })
  }
  const spoolDirectory = (await text(settings.spool_directory)) ?? buildValues.spoolDirectory
  const spoolStat = systemFiles.stat(spoolDirectory)
  const found = runTimeUser(
    await text(settings.exim_user),
    await text(settings.exim_group),
    accounts,
    'error' in spoolStat ? undefined : spoolStat.uid,
  )
  if (found.is === 'wrong') return found
  user = found.user
  const listensOn = await list(settings.local_interfaces)
  facts = serverFacts({ ...knownFacts, user, spoolDirectory, listensOn })
  store.useDirectory(spoolDirectory)
  const hostNumber = (await text(settings.localhost_number)) ?? ''
  if (hostNumber !== '') {
    if (/^\d{1,2}$/.test(hostNumber) && Number(hostNumber) <= 16) store.useLocalhostNumber(Number(hostNumber))
    else if (settings.localhost_number !== undefined)
      wrong(settings.localhost_number, `localhost_number value is not a number from 0 to 16: ${hostNumber}`)
  }
  const pidFilePath = (await text(settings.pid_file_path)) ?? buildValues.pidFilePath
  const logPaths = ((await list(settings.log_file_path)) ?? [buildValues.logFilePath]).map((path) =>
    path === '' ? buildValues.logFilePath : path,
  )
  const logFile = logPaths.find((path) => path.startsWith('/'))
  facts = { ...facts, logFolder: logFile === undefined ? undefined : dirname(logFile) }
  for (const option of ['never_users', 'trusted_users'] as const)
    await checkAccounts(settings[option], 'user', (name) => accounts.byName(name))
  for (const option of ['trusted_groups', 'admin_groups'] as const)
    await checkAccounts(settings[option], 'group', (name) => accounts.groupByName(name))
  const [problem] = problems
  if (problem !== undefined) return { is: 'wrong', message: problem.message, diagnostic: problem }
  const wrongPath = [spoolDirectory, pidFilePath, ...logPaths].find(
    (path) => !/^\/|^(?:syslog|stderr|stdout)$/.test(path),
  )
  if (wrongPath !== undefined) return { is: 'wrong', message: `"${wrongPath}" is not an absolute path` }

  let syslog: SyslogWriter | undefined
  if (logPaths.includes('syslog')) {
    const { openSyslog } = await import('./syslog.ts')
    const writer = openSyslog({
      facility: settings.syslog_facility,
      processName: options.syslogName ?? settings.syslog_processname,
      pid: settings.syslog_pid ? process.pid : undefined,
      timestamp: settings.syslog_timestamp,
      now: () => new Date(),
    })
    if (typeof writer === 'string') return { is: 'wrong', message: writer }
    syslog = writer
  }
  const logOptions = {
    syslog,
    paths: logPaths,
    selector: settings.log_selector ?? '',
    ports: settings.log_ports,
    jsonPath: settings.log_format_json,
    writeRejectLog: settings.write_rejectlog,
    syslogDuplication: settings.syslog_duplication,
    timezone: settings.log_timezone,
    utc: /^utc$/i.test(settings.timezone ?? ''),
    pid: process.pid,
    owner: user,
    now: Date.now,
  }
  log = createLog(logOptions)
  if (options.show !== undefined) log = shownLog(log, options.show)
  for (const line of early) line()

  const recorder =
    (options.brief && options.counts !== true) || settings.explain_store <= 0
      ? undefined
      : await store.recorder(settings.explain_store, user)

  const qualify = (address: ByteString, domain: ByteString): ByteString => {
    const parsed = parseAddress(address)
    if (parsed.is === 'error') return address
    return parsed.domain === '' ? `${parsed.address}@${domain}` : parsed.address
  }
  /** For the daemon, which answers for `/metrics`. */
  async function leaveCounts(): Promise<void> {
    if (store.counters === undefined) return
    const [beside, { tellLookups }] = await Promise.all([
      import('./metrics/beside.ts'),
      import('./metrics/gauges.ts'),
    ])
    if (lookups !== undefined) tellLookups(store.counters, lookups.counters.byType)
    beside.leaveCounts(facts.spoolDirectory, store.counters, user)
  }
  const server: Server = {
    configuration,
    settings,
    get facts() {
      return facts
    },
    ports,
    log,
    logPaths,
    pidFilePath,
    user,
    recorder,
    accounts,
    store,
    prepareLists: () => made.prepareLists(configuration),
    context,
    text,
    list,
    spool: (use) => store.spool(use),
    lookupCounts: () => lookups?.counters.byType ?? new Map(),
    queue: () => (queue ??= openQueue()),
    receiving: async () => (await wantFlow()).receiving(),
    routing: async () => (await wantFlow()).routing,
    async number(setting, otherwise, within = context()) {
      const value = await text(setting, within)
      const match = /^\s*(\d+)([KMG]?)\s*$/i.exec(value ?? '')
      if (match === null) return otherwise
      const power = { '': 0, K: 1, M: 2, G: 3 }[match[2]?.toUpperCase() ?? ''] ?? 0
      return Number(match[1]) * 1024 ** power
    },
    qualifySender: (address) => qualify(address, facts.qualifyDomain),
    qualifyRecipient: (address) => qualify(address, facts.qualifyRecipient),
    fault(where, error) {
      const message = error instanceof Error ? error.message : String(error)
      log.panic(undefined, `unexpected error in ${where}: ${message}`)
      if (options.environment['POSTERN_DEBUG'] === '1' && error instanceof Error) {
        process.stderr.write(`${error.stack ?? message}\n`)
      }
    },
    setAsUser(asUser) {
      if (!staysItself) delegate.current = asUser
    },
    retire() {
      setTimeout(() => closeLookups(), retiredMs).unref()
    },
    async close() {
      await (await queue?.catch(() => undefined))?.drain()
      const opened = await flow?.catch(() => undefined)
      await opened?.close()
      await made.eventsSettled()
      if (options.brief) await leaveCounts()
      closeLookups()
      await store.close()
      log.close()
    },
  }
  return { is: 'open', server }
}

/** Sessions of a configuration that is no longer in force keep its connections to databases so long. */
const retiredMs = 300_000

/** Keeps lines until the log files are known. */
function earlyLog(waiting: (() => void)[], real: () => LogFiles): LogFiles {
  return {
    selects: () => true,
    main: (...line) => void waiting.push(() => real().main(...line)),
    reject: (...line) => void waiting.push(() => real().reject(...line)),
    panic: (...line) => void waiting.push(() => real().panic(...line)),
    flush: () => undefined,
    reopen: () => undefined,
    close: () => undefined,
  }
}
