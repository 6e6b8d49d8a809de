/** A context for expansions without a server: real lists and lookups, everything else from a record. */
import { newControls } from '../../src/flow/message-controls.ts'
import { hostname } from 'node:os'
import { createListMatcher } from '../../src/language/lists/index.ts'
import { createLookups } from '../../src/language/lookups/index.ts'
import { createExpander, type Expander, type ExpanderDeps } from '../../src/language/expand/index.ts'
import { mainOptions, type MainSettings } from '../../src/language/config/options/main.ts'
import type { ConnectionFacts, Context, MessageFacts, Ports } from '../../src/ports.ts'
import { systemFiles } from '../../src/server/files.ts'
import type { Header } from '../../src/mail/envelope.ts'
import { headerType } from '../../src/mail/header.ts'

/** The main options with their defaults. */
export function defaultSettings(): MainSettings {
  const settings = Object.fromEntries(Object.entries(mainOptions).map(([name, row]) => [name, row.default]))
  // Every row's default has the type of its option.
  return settings as unknown as MainSettings
}

export interface Bench {
  readonly expander: Expander
  readonly context: Context
  /** Ends connections of lookups. */
  close(): void
}

/** Settings for the parts a test cares about. */
export interface BenchOptions {
  readonly settings?: Partial<MainSettings>
  readonly ports?: Partial<Ports>
  readonly context?: Partial<Context>
  readonly deps?: ExpanderDeps
}

function refuse(what: string): never {
  throw new Error(`the test has no ${what}`)
}

export function expansionBench(options: BenchOptions = {}): Bench {
  const expander = createExpander(options.deps)
  const lists = createListMatcher()
  const lookups = createLookups()
  const ports: Ports = {
    ...expander,
    matchList: (...all) => lists.matchList(...all),
    matchListText: (...all) => lists.matchListText(...all),
    splitList: (list) => lists.splitList(list),
    lookup: (request, context) => lookups.lookup(request, context),
    runAcl: () => refuse('ACL'),
    verify: () => refuse('verification'),
    raise: () => '',
    dns: () => Promise.resolve({ status: 'again', records: [], authenticated: false, canonicalName: '' }),
    hostAddresses: () => Promise.resolve({ is: 'again' }),
    lookUpHostName: () => Promise.resolve(),
    hints: {
      get: () => undefined,
      put: () => undefined,
      remove: () => undefined,
      update: () => Promise.resolve(undefined),
      entries: () => [],
    },
    log: { selects: () => false, main: () => undefined, reject: () => undefined, panic: () => undefined },
    accounts: {
      byName: (name) =>
        name === 'root'
          ? { name, uid: 0, gid: 0, gecos: 'root', home: '/root', shell: '/bin/bash' }
          : undefined,
      byUid: () => undefined,
      groupByName: () => undefined,
      groupByGid: () => undefined,
    },
    files: systemFiles,
    now: () => Date.now(),
    random: (limit) => Math.floor(Math.random() * limit),
    ...options.ports,
  }
  const name = hostname()
  const empty = new Map<never, never>()
  const context: Context = {
    server: {
      configuration: {
        file: '/etc/exim4/exim4.conf',
        files: [],
        whole: true,
        main: defaultSettings(),
        mainSetAt: empty,
        hidden: new Set(),
        namedLists: { domain: empty, host: empty, address: empty, localpart: empty },
        acls: empty,
        routers: [],
        transports: empty,
        authenticators: [],
        retry: [],
        rewrite: [],
        macros: [],
        normalizedLines: [],
        diagnostics: [],
      },
      primaryHostname: name,
      qualifyDomain: name,
      qualifyRecipient: name,
      spoolDirectory: '/var/spool/postern',
      localInterfaces: () => ['127.0.0.1', '::1'],
      eximUid: 100,
      eximGid: 100,
      eximPath: '/usr/sbin/exim',
      eximVersion: '4.99',
      posternVersion: '0.1.0',
      pid: process.pid,
    },
    settings: { ...defaultSettings(), ...options.settings },
    ports,
    captures: [],
    variables: new Map(),
    ...options.context,
  }
  return { expander, context, close: () => lookups.close() }
}

/** A message with these headers and this body. */
export function messageFacts(
  headers: readonly string[],
  body: string = '',
  more: Partial<MessageFacts> = {},
): MessageFacts {
  const all: Header[] = headers.map((text) => ({ type: headerType(text), text }))
  return {
    id: '1abcde-000000000001-0abc',
    sender: 'sender@example.net',
    rawSender: 'sender@example.net',
    recipients: [{ address: 'one@example.com' }, { address: 'two@example.org' }],
    rcptCount: 2,
    rcptDeferCount: 0,
    rcptFailCount: 0,
    headers: all,
    headersAdded: [],
    body: { start: body, end: body },
    bodySize: body.length,
    bodyLines: body.split('\n').length - 1,
    bodyZeros: 0,
    size: body.length,
    maxReceivedLineLength: 80,
    receivedCount: 1,
    receivedAt: Date.now(),
    smtputf8: false,
    prdrRequested: false,
    body8bit: false,
    aclM: new Map(),
    controls: newControls(),
    receivedFor: undefined,
    firstDelivery: true,
    manuallyThawed: false,
    local: false,
    originator: { login: 'root', uid: 0, gid: 0 },
    extra: new Map(),
    ...more,
  }
}

/** A TCP connection about which nothing is known but what is given. */
export function connectionFacts(more: Partial<ConnectionFacts> = {}): ConnectionFacts {
  return {
    kind: 'smtp',
    hostAddress: undefined,
    hostPort: 0,
    interfaceAddress: '127.0.0.1',
    interfacePort: 25,
    hostName: undefined,
    hostAliases: [],
    hostLookup: 'not done',
    hostDnssec: false,
    helo: undefined,
    heloVerified: undefined,
    protocol: 'smtp',
    ident: undefined,
    tls: undefined,
    proxy: undefined,
    authenticatedId: undefined,
    authenticatedSender: undefined,
    authenticatedBy: undefined,
    authenticationFailed: false,
    authenticatedFailId: undefined,
    activeHostname: 'mx.example',
    connectionId: 'Ci0',
    aclC: new Map(),
    smtpCommand: '',
    smtpCommandArgument: '',
    smtpCommandHistory: [],
    countAtStart: 0,
    notQuitReason: '',
    startedAt: 0,
    hostChecking: false,
    extra: new Map(),
    ...more,
  }
}
