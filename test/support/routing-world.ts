/** Routing with a real configuration and no server around it: files and accounts of this machine, DNS from a table. */
import { existsSync, readFileSync } from 'node:fs'
import { newControls } from '../../src/flow/message-controls.ts'
import {
  createRouting,
  type GeneratedMessage,
  type Routing,
  routerDrivers,
} from '../../src/flow/routing/index.ts'
import type { Configuration } from '../../src/language/config/configuration.ts'
import { readConfiguration } from '../../src/language/config/read.ts'
import { createExpander } from '../../src/language/expand/index.ts'
import { createListMatcher } from '../../src/language/lists/index.ts'
import type {
  Account,
  Accounts,
  Context,
  LookupRequest,
  LookupResult,
  MessageFacts,
  Ports,
} from '../../src/ports.ts'
import { textOf } from '../../src/base/text.ts'
import { systemFiles } from '../../src/server/files.ts'
import { createResolver, type Resolver } from '../../src/wire/dns/index.ts'
import { tableRegistries } from './registries.ts'

export interface World {
  readonly routing: Routing
  readonly context: Context
  /** With the sender that an address is tested with: none while a sender is verified. */
  contextFor(mode: 'bt' | 'bv' | 'bvs'): Context
  readonly configuration: Configuration
  readonly logged: string[]
}

export interface WorldOptions {
  readonly resolver?: Resolver
  readonly sender?: string
  readonly localInterfaces?: readonly string[]
  readonly submit?: (message: GeneratedMessage) => Promise<unknown>
}

/** @param text the configuration file */
export function createWorld(text: string, options: WorldOptions = {}): World {
  const configuration = readConfiguration({
    file: 'test.conf',
    embedded: text,
    readFile: () => ({ error: 'No such file or directory', code: 'ENOENT' }),
    registries: { ...tableRegistries, routers: routerDrivers },
  })
  const wrong = configuration.diagnostics.filter(
    ({ severity, fatal }) => severity === 'error' && fatal === true,
  )
  if (wrong.length > 0) throw new Error(wrong.map(({ message }) => message).join('\n'))
  const logged: string[] = []
  const context = contextOf(configuration, logged, options)
  const routing = createRouting({
    routers: configuration.routers,
    transports: configuration.transports,
    ...(options.resolver && { searchDomains: () => options.resolver?.searchDomains() ?? [] }),
    ...(options.submit && { submit: options.submit }),
  })
  const contextFor = (mode: 'bt' | 'bv' | 'bvs'): Context =>
    mode === 'bvs' ? context : { ...context, message: messageFrom(options.sender ?? '') }
  return { routing, context, contextFor, configuration, logged }
}

function messageFrom(sender: string): MessageFacts {
  return {
    id: '',
    sender,
    rawSender: sender,
    recipients: [],
    rcptCount: 0,
    rcptDeferCount: 0,
    rcptFailCount: 0,
    headers: [],
    headersAdded: [],
    body: { start: '', end: '' },
    bodySize: 0,
    bodyLines: 0,
    bodyZeros: 0,
    size: 0,
    maxReceivedLineLength: 0,
    receivedCount: 0,
    receivedAt: 0,
    smtputf8: false,
    prdrRequested: false,
    body8bit: false,
    aclM: new Map(),
    controls: newControls(),
    receivedFor: undefined,
    firstDelivery: true,
    manuallyThawed: false,
    local: true,
    originator: { login: 'root', uid: 0, gid: 0 },
    extra: new Map(),
  }
}

function contextOf(configuration: Configuration, logged: string[], options: WorldOptions): Context {
  const { main } = configuration
  const primaryHostname = main.primary_hostname ?? 'localhost'
  const qualifyDomain = main.qualify_domain ?? primaryHostname
  return {
    server: {
      configuration,
      primaryHostname,
      qualifyDomain,
      qualifyRecipient: main.qualify_recipient ?? qualifyDomain,
      spoolDirectory: '/nonexistent',
      localInterfaces: () => options.localInterfaces ?? ['127.0.0.1', '::1'],
      eximUid: process.getuid?.() ?? 0,
      eximGid: process.getgid?.() ?? 0,
      eximPath: '/usr/sbin/exim',
      eximVersion: '4.99',
      posternVersion: '0',
      pid: process.pid,
    },
    settings: main,
    ports: portsOf(
      logged,
      options.resolver ?? createResolver({ servers: [{ address: '127.0.0.1', port: 1 }] }),
    ),
    captures: [],
    variables: new Map(),
  }
}

function portsOf(logged: string[], resolver: Resolver): Ports {
  const expander = createExpander()
  const lists = createListMatcher()
  const unused = (): never => {
    throw new Error('not part of this world')
  }
  return {
    expand: (text, context) => expander.expand(text, context),
    expandText: (text, context) => expander.expandText(text, context),
    matchList: lists.matchList,
    matchListText: lists.matchListText,
    splitList: lists.splitList,
    lookup,
    runAcl: unused,
    verify: unused,
    raise: () => '',
    dns: resolver.dns,
    hostAddresses: resolver.hostAddresses,
    lookUpHostName: () => Promise.resolve(),
    hints: {
      get: () => undefined,
      put: () => undefined,
      remove: () => undefined,
      update: () => Promise.resolve(undefined),
      entries: () => [],
    },
    log: {
      selects: () => true,
      main: (_id, line) => logged.push(line),
      reject: (_id, line) => logged.push(line),
      panic: (_id, line) => logged.push(line),
    },
    accounts: accountsOfThisMachine(),
    files: systemFiles,
    now: () => Date.now(),
    random: () => 0,
  }
}

/** `lsearch` as far as alias files need it. */
function lookup({ type, file, key }: LookupRequest): LookupResult {
  if (type !== 'lsearch' || file === undefined) return { is: 'failure', message: `no ${type} in this world` }
  const path = textOf(file)
  if (!existsSync(path)) {
    return { is: 'defer', message: `failed to open ${path} for linear search: No such file or directory` }
  }
  const wanted = textOf(key).toLowerCase()
  for (const line of readFileSync(path, 'latin1')
    .replaceAll(/\n[ \t]+/g, ' ')
    .split('\n')) {
    const match = /^([^:\s#]+)[:\s]\s*(.*)$/.exec(line)
    if (match?.[1]?.toLowerCase() === wanted) return { is: 'found', data: match[2] ?? '' }
  }
  return { is: 'none' }
}

function accountsOfThisMachine(): Accounts {
  const accounts: Account[] = readFileSync('/etc/passwd', 'latin1')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [name = '', , uid, gid, gecos = '', home = '', shell = ''] = line.split(':')
      return { name, uid: Number(uid), gid: Number(gid), gecos, home, shell }
    })
  const groups = readFileSync('/etc/group', 'latin1')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [name = '', , gid] = line.split(':')
      return { name, gid: Number(gid), members: [] }
    })
  return {
    byName: (name) => accounts.find((account) => account.name === name),
    byUid: (uid) => accounts.find((account) => account.uid === uid),
    groupByName: (name) => groups.find((group) => group.name === name),
    groupByGid: (gid) => groups.find((group) => group.gid === gid),
  }
}
