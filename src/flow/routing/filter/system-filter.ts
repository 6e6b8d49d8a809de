/** The system filter: run once for each attempt, before routing. Source: Exim manual, "System-wide message filtering". */
import { builtin } from '../../../base/diagnostic.ts'
import type { Expandable } from '../../../base/expandable.ts'
import { isFailure, unreachable } from '../../../base/outcome.ts'
import { type ByteString, isTainted, textOf, unquotedTaint } from '../../../base/text.ts'
import type { RouterInstance, TransportInstance } from '../../../language/config/configuration.ts'
import type { Context } from '../../../ports.ts'
import type { GeneratedAddresses, SystemFiltered } from '../../routed.ts'
import { topCandidate } from '../candidate.ts'
import type { Child, TakenAddress } from '../finish.ts'
import type { Candidate, UserNote } from '../types.ts'
import { runEximFilter } from './exim/run.ts'
import type { FilterDelivery, FilterNote, FilterWorld } from './result.ts'

/** The parent of all that a system filter sets up, as the log shows it. */
export const systemRecipient = 'system-filter'
const filterLimitBytes = 4 * 1024 * 1024

/** What routing keeps of generated addresses. */
export type Generations = WeakMap<GeneratedAddresses, readonly Child[]>

export async function runSystemFilter(
  outer: Context,
  transports: ReadonlyMap<string, TransportInstance>,
  generations: Generations,
  writeNote: ((note: UserNote) => Promise<string | undefined>) | undefined,
): Promise<SystemFiltered> {
  const option = outer.settings.system_filter
  if (option === undefined) return { is: 'none' }
  const trace = outer.trace?.begin('filter', `the system filter ${option.text}`)
  const context = trace === undefined ? outer : { ...outer, trace }
  const filtered = await filterBy(option, context, transports, generations, writeNote)
  trace?.end(cameOf(filtered))
  return filtered
}

/** For explanations. */
function cameOf(filtered: SystemFiltered): ByteString {
  switch (filtered.is) {
    case 'none':
      return 'there is none'
    case 'error':
      return `error: ${filtered.message}`
    case 'done': {
      const { significant, generated, headers } = filtered
      const own =
        generated.count === 0
          ? ''
          : `, ${generated.count} ${generated.count === 1 ? 'delivery' : 'deliveries'} of its own`
      return `${significant ? 'the recipients are ignored' : 'the message goes on'}${own}${headers === undefined ? '' : ', headers changed'}`
    }
    case 'fail':
    case 'defer':
    case 'freeze':
      return `${filtered.is}: ${filtered.text}`
    default:
      return unreachable(filtered)
  }
}

async function filterBy(
  option: Expandable,
  context: Context,
  transports: ReadonlyMap<string, TransportInstance>,
  generations: Generations,
  writeNote: ((note: UserNote) => Promise<string | undefined>) | undefined,
): Promise<SystemFiltered> {
  const text = await readFilter(option, context)
  if (typeof text !== 'string') return text
  const world: FilterWorld = {
    context: { ...context, captures: [], address: undefined },
    tester: undefined,
    system: true,
    prependHome: false,
    qualifyDomain: context.server.qualifyRecipient,
    forbidden: () => undefined,
    rewrite: (address) => Promise.resolve(address),
    note: (note) => writeLog(note, context, writeNote),
  }
  const allow = { defer: true, fail: true, freeze: true }
  const result = await runEximFilter(text, { system: true, allow }, world)
  if (result.is === 'error') return result
  const children: Child[] = []
  for (const delivery of result.deliveries) {
    const child = await childOf(delivery, transports, context)
    if ('is' in child && child.is === 'error') return child
    children.push(child)
  }
  const generated: GeneratedAddresses = { count: children.length }
  generations.set(generated, children)
  const { counters, headers } = result
  if (result.is === 'done')
    return { is: 'done', significant: result.significant, generated, counters, headers }
  return { is: result.is, text: result.text, generated, counters, headers }
}

/** `logwrite`: under the ids of `system_filter_user`, else our own. */
async function writeLog(
  { file, mode, text }: FilterNote,
  context: Context,
  write: ((note: UserNote) => Promise<string | undefined>) | undefined,
): Promise<string | undefined> {
  const path = textOf(file)
  if (isTainted(file)) return `Tainted name '${path}' for file open not permitted`
  if (!path.startsWith('/')) return `failed to open filter log file "${path}": not an absolute path`
  if (write === undefined) return 'filter log files cannot be written here'
  const { eximUid, eximGid } = context.server
  const { uid = eximUid, gid = eximGid } = idsOf(context)
  const problem = await write({ uid, gid, file: path, mode, text })
  return problem === undefined ? undefined : `failed to open filter log file "${path}": ${problem}`
}

/** The text of the filter, or why there is none. */
async function readFilter(option: Expandable, context: Context): Promise<ByteString | SystemFiltered> {
  const name = await context.ports.expand(option, context)
  if (isFailure(name)) {
    return { is: 'error', message: `failed to expand system_filter "${option.text}": ${name.message}` }
  }
  const path = textOf(name)
  if (path === '') return { is: 'none' }
  if (isTainted(name)) return { is: 'error', message: `Tainted name '${path}' for file read not permitted` }
  const file = await readAsUser(path, context)
  if ('error' in file) return { is: 'error', message: `failed to open ${path}: ${file.error}` }
  if (!/^\s*#\s*exim\s*filter/i.test(file.bytes)) {
    return { is: 'error', message: `${path} is not an Exim filter: "# Exim filter" must come first` }
  }
  return file.bytes
}

/** Under the ids of `system_filter_user` where this process may not read it itself. */
async function readAsUser(
  path: string,
  context: Context,
): Promise<{ readonly bytes: ByteString } | { readonly error: string }> {
  const { files } = context.ports
  const own = files.read(path, filterLimitBytes)
  const { uid, gid } = idsOf(context)
  if (!('error' in own) || files.asUser === undefined || uid === undefined || gid === undefined) return own
  return files.asUser.read({ uid, gid }, path, filterLimitBytes)
}

function idsOf({ settings, ports }: Context): { readonly uid?: number; readonly gid?: number } {
  const user = settings.system_filter_user
  if (user === undefined) return {}
  const account = /^\d+$/.test(user) ? ports.accounts.byUid(Number(user)) : ports.accounts.byName(user)
  const uid = account?.uid ?? (/^\d+$/.test(user) ? Number(user) : undefined)
  const group = settings.system_filter_group
  const gid =
    group === undefined
      ? account?.gid
      : /^\d+$/.test(group)
        ? Number(group)
        : ports.accounts.groupByName(group)?.gid
  return { ...(uid !== undefined && { uid }), ...(gid !== undefined && { gid }) }
}

async function childOf(
  delivery: FilterDelivery,
  transports: ReadonlyMap<string, TransportInstance>,
  context: Context,
): Promise<Child | { readonly is: 'error'; readonly message: string }> {
  const recipient = { address: systemRecipient }
  const parent = topCandidate(recipient)
  if (delivery.is === 'address') {
    const top = topCandidate({ address: delivery.address })
    const candidate: Candidate = {
      ...top,
      recipient,
      parent,
      depth: 1,
      errorsTo: delivery.errorsTo,
      ignoreErrors: delivery.noError,
    }
    return { is: 'candidate', candidate }
  }
  const { kind, address, tainted } = specialOf(delivery)
  const { settings } = context
  const option = {
    file: settings.system_filter_file_transport,
    directory: settings.system_filter_directory_transport,
    pipe: settings.system_filter_pipe_transport,
    reply: settings.system_filter_reply_transport,
  }[kind]
  const transport = await transportOf(option, `system_filter_${kind}_transport`, transports, context)
  if ('is' in transport) return transport
  const { uid, gid } = idsOf(context)
  const taken: TakenAddress = {
    candidate: parent,
    address,
    uniqueKey: `${address}:${systemRecipient}`,
    facts: {
      localPart: '',
      domain: '',
      ...(kind === 'pipe' && { addressPipe: address.slice(1) }),
      ...((kind === 'file' || kind === 'directory') && { addressFile: address }),
    },
    recipient,
    ancestors: [systemRecipient],
    special: kind,
    router: noRouter,
    transport,
    hosts: [],
    fallbackHosts: [],
    errorsTo: undefined,
    headersAdd: [],
    headersRemove: [],
    uid,
    gid,
    initgroups: false,
    homeDirectory: undefined,
    currentDirectory: undefined,
    disableLogging: false,
    logAsLocal: true,
    retryUseLocalPart: true,
    ...(delivery.is === 'reply' && { reply: delivery.reply }),
    ...(delivery.is === 'pipe' && { scope: delivery.scope }),
    ...(delivery.is === 'file' && delivery.mode !== undefined && { fileMode: delivery.mode }),
    ...(delivery.noError && { ignoreErrors: true as const }),
    ...(tainted && {
      taint: { message: `Tainted '${address}' (file or directory name) not permitted`, errno: -1 },
    }),
  }
  return { is: 'taken', address: taken }
}

function specialOf(delivery: Exclude<FilterDelivery, { readonly is: 'address' }>): {
  readonly kind: 'file' | 'directory' | 'pipe' | 'reply'
  readonly address: ByteString
  readonly tainted: boolean
} {
  switch (delivery.is) {
    case 'file': {
      const text = textOf(delivery.path)
      return {
        kind: text.endsWith('/') ? 'directory' : 'file',
        address: text,
        tainted: isTainted(delivery.path),
      }
    }
    case 'pipe':
      return { kind: 'pipe', address: `|${delivery.command}`, tainted: false }
    case 'reply':
      return { kind: 'reply', address: `>${delivery.reply.to ?? ''}`, tainted: false }
  }
}

async function transportOf(
  option: Expandable | undefined,
  name: string,
  transports: ReadonlyMap<string, TransportInstance>,
  context: Context,
): Promise<TransportInstance | { readonly is: 'error'; readonly message: string }> {
  if (option === undefined) return { is: 'error', message: `${name} is unset` }
  const value = await context.ports.expand(option, context)
  if (isFailure(value))
    return { is: 'error', message: `failed to expand "${option.text}" for ${name}: ${value.message}` }
  const wanted = textOf(value)
  const found = unquotedTaint(value) === undefined ? transports.get(wanted) : undefined
  return found ?? { is: 'error', message: `${name}: transport "${wanted}" not found` }
}

/** What the system filter sets up comes from no router: log lines name none. */
const noRouter: RouterInstance = {
  name: '',
  driver: 'system filter',
  at: { origin: builtin, start: 0, end: 0 },
  // Only the name and the place of a router are asked for once an address has its transport.
  settings: {} as RouterInstance['settings'],
  setAt: new Map(),
}
