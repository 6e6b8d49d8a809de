/**
 * One configuration in force without a machine around it: the real engine, whose questions go to a `World`. Nothing is
 * listened on, no file of the spool is opened, no process started. One session at a time may use it: the world of the
 * session at hand is set before it begins.
 */
import { after } from '../../base/outcome.ts'
import type { ByteString } from '../../base/text.ts'
import type { Configuration } from '../../language/config/configuration.ts'
import type { Envelope } from '../../mail/envelope.ts'
import { readLogSelector } from '../../mail/log-selectors.ts'
import { createAclEngine } from '../../policy/acl/index.ts'
import { spfLookup } from '../../policy/msgauth/spf/lookup.ts'
import type { ReceiveServices } from '../../flow/receive/services.ts'
import { createRouting, type Routing } from '../../flow/routing/index.ts'
import { createLookups } from '../../language/lookups/index.ts'
import type { AclPlace, AclResult, Context, Log, ServerFacts, Trace } from '../../ports.ts'
import { createMemoryHints } from '../../store/hints/memory.ts'
import { createMemorySpool } from '../../store/spool/memory-spool.ts'
import { createAuthService } from '../auth-service.ts'
import { buildValues } from '../build-table.ts'
import { serverFacts } from '../facts.ts'
import { createRewriting } from '../rewriting.ts'
import { traced, tracedDns } from '../traced-ports.ts'
import { createPorts, type PluggedPorts } from '../wire.ts'
import { fileLookups, type World } from './world.ts'

export interface LoggedLine {
  readonly log: 'main' | 'reject' | 'panic'
  readonly id: string | undefined
  readonly text: ByteString
}

/** What one session left behind. */
export interface Left {
  readonly log: LoggedLine[]
  /** Messages that would have been kept, as they would have been. */
  readonly accepted: { readonly envelope: Envelope; readonly context: Context }[]
  /** What the last ACL that ran could see; one that saw a message stays. */
  last: Context | undefined
  /** What decided last: the verdict of an ACL, with its place. */
  decided: Decided | undefined
}

export interface Decided {
  readonly place: AclPlace
  readonly verdict: AclResult['verdict']
  readonly by: AclResult['decidedBy']
}

export interface OfflineEngine {
  readonly configuration: Configuration
  readonly routing: Routing
  readonly facts: ServerFacts
  /** A new world, and nothing left of the session before. `trace`: takes the steps. `whole`: expansions, lookups, DNS too. */
  begin(world: World, trace?: Trace, whole?: boolean): Offline
}

/** The engine within one world. */
export interface Offline {
  readonly left: Left
  context(): Context
  services(): ReceiveServices
}

export function createOfflineEngine(configuration: Configuration): OfflineEngine {
  const { main: settings, routers, transports } = configuration
  let world: World | undefined
  const now = (): World => {
    if (world === undefined) throw new Error('a question was asked before there was a world')
    return world
  }
  let hints = createMemoryHints()
  let left = nothingLeft()
  const { selects } = readLogSelector(settings.log_selector ?? '', settings.log_ports)
  const log: Log = {
    selects,
    main: (id, text) => void left.log.push({ log: 'main', id, text }),
    reject(id, text, options = {}) {
      if (options.main !== false) left.log.push({ log: 'main', id, text })
      if (options.reject !== false) left.log.push({ log: 'reject', id, text })
      if (options.panic === true) left.log.push({ log: 'panic', id, text })
    },
    panic: (id, text) => void left.log.push({ log: 'panic', id, text }),
  }
  const lookups = createLookups({ extra: [spfLookup] })
  const acls = createAclEngine()
  const made = createPorts(
    {
      dns: (name, type, how) => now().dns(name, type, how),
      hostAddresses: (name, how) => now().hostAddresses(name, how),
      lookUpHostName: (connection, context) => now().lookUpHostName(connection, context),
      accounts: {
        byName: (name) => now().accounts.byName(name),
        byUid: (uid) => now().accounts.byUid(uid),
        groupByName: (name) => now().accounts.groupByName(name),
        groupByGid: (gid) => now().accounts.groupByGid(gid),
      },
      files: {
        read: (path, limit) => now().files.read(path, limit),
        stat: (path) => now().files.stat(path),
        list: (path) => now().files.list(path),
        space: (path) => now().files.space(path),
        // What a user may see of a stated file is what everybody may.
        asUser: {
          read: async (_ids, path, limit) => now().files.read(path, limit),
          stat: async (_ids, path) => now().files.stat(path),
        },
      },
      hints: {
        get: (database, key) => hints.get(database, key),
        put: (database, key, value) => hints.put(database, key, value),
        remove: (database, key) => hints.remove(database, key),
        update: (database, key, change) => hints.update(database, key, change),
        entries: (database, range) => hints.entries(database, range),
      },
      log: () => log,
      now: () => now().now(),
      random: (limit) => now().random(limit),
      doors: {
        runCommand: (request) => now().runCommand(request),
        askSocket: (request) => now().askSocket(request),
        askPam: (request) => now().askPam(request),
      },
    },
    {
      runAcl: () =>
        Promise.resolve((acl, place, context, args) => {
          if (context.message !== undefined || left.last?.message === undefined) left.last = context
          const mine = left
          return after(acls.runAcl(acl, place, context, args), (result) => {
            mine.decided = { place, verdict: result.verdict, by: result.decidedBy }
            return result
          })
        }),
      lookup: () =>
        Promise.resolve((request, context) =>
          fileLookups.has(request.type) ? lookups.lookup(request, context) : now().lookup(request, context),
        ),
      verify: () => Promise.resolve((request, context) => routing.verify(request, context)),
    },
  )
  const routing = createRouting({
    routers,
    transports,
    callout: (target, kind, options, context) => now().callout(target, kind, options, context),
    submit: () => Promise.resolve(undefined),
  })
  // Dovecot would be asked over a socket of its own: tests state `authenticated` instead.
  const auth = createAuthService(configuration.authenticators.filter(({ driver }) => driver !== 'dovecot'))
  const rewriting = createRewriting(configuration.rewrite)
  const user = { name: '', uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 }
  let facts = factsOf('')

  function factsOf(hostname: string): ServerFacts {
    return serverFacts({
      configuration,
      primaryHostname: settings.primary_hostname ?? hostname,
      user,
      localInterfaces: () => now().interfaces,
      programPath: '/usr/sbin/postern',
      spoolDirectory: settings.spool_directory?.text ?? buildValues.spoolDirectory,
      queueSize: () => 0,
    })
  }

  return {
    configuration,
    routing,
    get facts() {
      return facts
    },
    begin(given, trace, whole = false) {
      world = given
      hints = createMemoryHints()
      left = nothingLeft()
      if (settings.primary_hostname === undefined && facts.primaryHostname !== given.hostname)
        facts = factsOf(given.hostname)
      else if (facts.primaryHostname === '') facts = factsOf(given.hostname)
      const ports: PluggedPorts | ReturnType<typeof traced> =
        trace !== undefined && whole ? traced(tracedDns(made, trace)) : made
      const context = (): Context => ({
        server: facts,
        // All commands may come at once: whoever plays the session knows the answers.
        settings: { ...settings, smtp_enforce_sync: false },
        ports,
        captures: [],
        variables: new Map(),
        trace,
      })
      const mine = left
      return {
        left: mine,
        context,
        services: () => ({
          context: context(),
          spool: createMemorySpool({
            form: settings.message_id_form === 'short' ? 'short' : 'long',
            now: () => given.now(),
          }),
          accepted: () => undefined,
          rehearsed: (envelope, within) => void mine.accepted.push({ envelope, context: within }),
          shutdown: never,
          load: () => 0,
          rewriting,
          auth,
          async expn(address, within) {
            const tested = await routing.test(address, 'expn', within)
            return { is: tested.exitCode === 0 ? 'ok' : 'fail', lines: tested.lines }
          },
        }),
      }
    },
  }
}

function nothingLeft(): Left {
  return { log: [], accepted: [], last: undefined, decided: undefined }
}

const never = new AbortController().signal
