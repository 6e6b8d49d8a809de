/** Lists and ACLs without a server: real expansions, lists and lookups; hosts, DNS, hints and log from records. */
import type { Diagnostic, TextOrigin } from '../../src/base/diagnostic.ts'
import { Expandable } from '../../src/base/expandable.ts'
import type {
  AclSource,
  Configuration,
  ListKind,
  NamedList,
} from '../../src/language/config/configuration.ts'
import type { MainSettings } from '../../src/language/config/options/main.ts'
import { createAclEngine } from '../../src/policy/acl/index.ts'
import type {
  AddressFacts,
  ConnectionFacts,
  Context,
  DnsAnswer,
  HostAddresses,
  MessageFacts,
  Ports,
  VerifyRequest,
  VerifyResult,
} from '../../src/ports.ts'
import { expansionBench, messageFacts } from './expansion-context.ts'

export interface World {
  /** The ACL section: names with a colon, statements below. */
  readonly acls?: string
  /** `domainlist name = text`. */
  readonly lists?: readonly (readonly [kind: ListKind, name: string, text: string])[]
  readonly settings?: Partial<MainSettings>
  /** Addresses of host names; `again` defers. */
  readonly hosts?: Readonly<Record<string, readonly string[] | 'again'>>
  /** Host names of addresses; `again` defers. */
  readonly names?: Readonly<Record<string, string>>
  /** Answers by `name TYPE`; the rest is NXDOMAIN. */
  readonly dns?: Readonly<Record<string, Partial<DnsAnswer>>>
  readonly verify?: (request: VerifyRequest) => VerifyResult
  readonly connection?: Partial<ConnectionFacts>
  readonly message?: Partial<MessageFacts>
  readonly address?: AddressFacts
  readonly selectors?: readonly string[]
  readonly now?: () => number
}

export interface PolicyBench {
  readonly context: Context
  readonly configuration: Configuration
  readonly runAcl: Ports['runAcl']
  /** What `load` reported. */
  readonly diagnostics: readonly Diagnostic[]
  /** Lines of all logs, each with the log's name before it. */
  readonly log: string[]
  /** Debugging lines. */
  readonly debug: string[]
  readonly dnsAsked: string[]
}

export function policyBench(world: World = {}): PolicyBench {
  const log: string[] = []
  const debug: string[] = []
  const dnsAsked: string[] = []
  const engine = createAclEngine()
  const selected = new Set(world.selectors ?? ['acl_warn_skipped', 'host_lookup_failed', 'dnslist_defer'])
  const hints = new Map<string, unknown>()
  const ports: Partial<Ports> = {
    runAcl: engine.runAcl,
    verify: (request) => Promise.resolve(world.verify?.(request) ?? { is: 'ok' }),
    dns: (name, type) => {
      dnsAsked.push(`${name} ${type}`)
      const known = world.dns?.[`${name} ${type}`]
      return Promise.resolve({
        status: known === undefined ? 'nxdomain' : 'found',
        records: [],
        authenticated: false,
        canonicalName: name,
        ...known,
      })
    },
    hostAddresses: (name) => Promise.resolve(addressesOf(name, world)),
    lookUpHostName(connection) {
      const name = world.names?.[connection.hostAddress ?? '']
      connection.hostName = name === 'again' ? undefined : name
      connection.hostLookup = name === 'again' ? 'deferred' : name === undefined ? 'failed' : 'found'
      return Promise.resolve()
    },
    hints: {
      get: (database, key) => hints.get(`${database} ${key}`),
      put: (database, key, value) => void hints.set(`${database} ${key}`, value),
      remove: (database, key) => void hints.delete(`${database} ${key}`),
      update: (database, key, change) => {
        const name = `${database} ${key}`
        // The caller asked for what it put there.
        const value = change(hints.get(name) as Parameters<typeof change>[0])
        if (value === undefined) hints.delete(name)
        else hints.set(name, value)
        return Promise.resolve(value)
      },
      entries: () => [],
    },
    log: {
      selects: (selector) => selected.has(selector),
      main: (_id, text) => void log.push(`main: ${text}`),
      reject: (_id, text, options) =>
        void log.push(`${options?.main === false ? '' : 'main+'}reject: ${text}`),
      panic: (_id, text) => void log.push(`panic: ${text}`),
    },
    ...(world.now === undefined ? {} : { now: world.now }),
  }
  const bench = expansionBench({
    ports,
    ...(world.settings === undefined ? {} : { settings: world.settings }),
  })
  const configuration: Configuration = {
    ...bench.context.server.configuration,
    namedLists: namedLists(world.lists ?? []),
    acls: aclSources(world.acls ?? ''),
    main: { ...bench.context.settings },
  }
  const diagnostics: Diagnostic[] = []
  engine.load(configuration, (diagnostic) => diagnostics.push(diagnostic))
  const context: Context = {
    ...bench.context,
    server: {
      ...bench.context.server,
      configuration,
      primaryHostname: 'me.example',
      localInterfaces: () => ['127.0.0.1', '::1'],
    },
    connection: connectionFacts(world.connection),
    message: messageFacts(['From: a@b\n'], '', { sender: 's@a.example', recipients: [], ...world.message }),
    address: world.address ?? { localPart: 'u', domain: 'a.example' },
    debug: (_category, line) => debug.push(line),
  }
  return { context, configuration, runAcl: engine.runAcl, diagnostics, log, debug, dnsAsked }
}

function addressesOf(name: string, world: World): HostAddresses {
  const known = world.hosts?.[name]
  if (known === undefined) return { is: 'none' }
  if (known === 'again') return { is: 'again' }
  return { is: 'found', addresses: known, canonicalName: name, dnssec: false }
}

export function connectionFacts(more: Partial<ConnectionFacts> = {}): ConnectionFacts {
  return {
    kind: 'smtp',
    hostAddress: '192.0.2.1',
    hostPort: 1234,
    interfaceAddress: '192.0.2.9',
    interfacePort: 25,
    hostName: undefined,
    hostAliases: [],
    hostLookup: 'not done',
    hostDnssec: false,
    helo: 'x',
    heloVerified: undefined,
    protocol: 'esmtp',
    ident: undefined,
    tls: undefined,
    proxy: undefined,
    authenticatedId: undefined,
    authenticatedSender: undefined,
    authenticatedBy: undefined,
    authenticationFailed: false,
    authenticatedFailId: undefined,
    activeHostname: 'me.example',
    connectionId: 'c1',
    aclC: new Map(),
    smtpCommand: '',
    smtpCommandArgument: '',
    smtpCommandHistory: [],
    countAtStart: 1,
    notQuitReason: '',
    startedAt: 0,
    hostChecking: true,
    extra: new Map(),
    ...more,
  }
}

function namedLists(lists: NonNullable<World['lists']>): Configuration['namedLists'] {
  const maps = { domain: new Map(), host: new Map(), address: new Map(), localpart: new Map() } as Record<
    ListKind,
    Map<string, NamedList>
  >
  for (const [kind, name, text] of lists) {
    const value = new Expandable(text, lineOrigin(text, 1))
    maps[kind].set(name, { kind, name, value, cached: false, hide: false, at: value.span() })
  }
  return maps
}

function aclSources(text: string): Map<string, AclSource> {
  const sources = new Map<string, AclSource>()
  let lines: AclSource['lines'][number][] = []
  for (const [index, line] of text.split('\n').entries()) {
    const name = /^(\w+):\s*$/.exec(line)?.[1]
    const logical = new Expandable(line.trim(), lineOrigin(line.trim(), index + 1))
    if (name === undefined) {
      if (line.trim() !== '') lines.push({ text: logical })
      continue
    }
    lines = []
    sources.set(name, { name, at: logical.span(), lines })
  }
  return sources
}

export function lineOrigin(lineText: string, line: number): TextOrigin {
  return {
    locate: (start, end) => ({
      file: 'exim.conf',
      line,
      column: start + 1,
      length: Math.max(1, end - start),
      lineText,
      through: [],
    }),
  }
}
