/** Turns a router's verdict into what delivery needs: an address with its transport, or new addresses to route. */
import type { Expandable } from '../../base/expandable.ts'
import type { Awaitable, Failure } from '../../base/outcome.ts'
import { asciiLower, type ByteString, type Text } from '../../base/text.ts'
import type { RouterInstance, TransportInstance } from '../../language/config/configuration.ts'
import { withHome } from '../home.ts'
import type { DomainChange, RoutedAddress, RouteHost } from '../routed.ts'
import { splitAddress } from '../../mail/address.ts'
import { type Envelope, findTransport, type SettledEnvelope, settleEnvelope, settleIds } from './assign.ts'
import { ancestorsOf, childCandidate, oneTimeOf } from './candidate.ts'
import { parseFallbackHosts } from './host-items.ts'
import type { Candidate, RedirectedItem, RouterVerdict, RouterWork, SpecialDelivery } from './types.ts'
import { type ExpansionTrouble, isTrouble, privateSetting } from './values.ts'

/** An address that a transport gets; verification needs none. */
export type TakenAddress = Omit<RoutedAddress, 'transport'> & {
  readonly transport: TransportInstance | undefined
  readonly candidate: Candidate
  /** Why its transport cannot be told: `-bt` says so, delivery defers it. */
  readonly problem?: ByteString
  /** Hosts as `-bt` shows them, where that is more than those to be tried. */
  readonly shown?: readonly (RouteHost & { readonly unusable?: true })[]
  /** A pipe or file that the router forbids: delivery fails. */
  readonly forbidden?: true
  /** A pipe or file whose text came from outside: delivery waits. */
  readonly taint?: { readonly message: ByteString; readonly errno: number }
  /** A filter's answer that has no usable recipient: it fails. */
  readonly badReply?: ByteString
}

/** What a redirection made: an address to route, or a delivery to a pipe or file. */
export type Child =
  | { readonly is: 'candidate'; readonly candidate: Candidate }
  | { readonly is: 'taken'; readonly address: TakenAddress }

export type Finished =
  | { readonly is: 'taken'; readonly address: TakenAddress; readonly forDomain?: boolean }
  | {
      readonly is: 'redirected'
      readonly children: readonly Child[]
      readonly work: RouterWork
      /** The address itself goes on too, with what the router sets: a filter without significant delivery. */
      readonly goesOn?: SettledEnvelope
      /** The domain was short for another: headers of the message change with it. */
      readonly domainChange?: DomainChange
      /** The address itself fails or waits: a filter said so after it had set up deliveries. */
      readonly refusal?: RouterVerdict & { readonly is: 'fail' | 'defer' }
    }
  | { readonly is: 'discarded'; readonly loggedAs: ByteString | undefined; readonly routerName: string }

interface Deferred {
  readonly is: 'deferred'
  readonly message: ByteString
  readonly errno?: number
}

export async function finish(verdict: RouterVerdict, work: RouterWork): Promise<Finished | Deferred> {
  switch (verdict.is) {
    case 'assign':
      return assign(verdict, work)
    case 'redirect':
      return redirect(verdict, work)
    case 'reroute':
      return reroute(verdict, work)
    case 'discard':
      return { is: 'discarded', loggedAs: verdict.loggedAs, routerName: work.router.name }
    default:
      return { is: 'deferred', message: 'internal: the verdict is not one that takes an address' }
  }
}

async function assign(
  verdict: RouterVerdict & { readonly is: 'assign' },
  work: RouterWork,
): Promise<Finished | Deferred> {
  const envelope = await settleEnvelope(work)
  if (isTrouble(envelope)) return deferred(envelope)
  const transport = verdict.transport ?? (await findTransport(work.router.settings.transport, work))
  if (isTrouble(transport)) return deferred(transport)
  if (transport === undefined && !work.purpose.startsWith('verify')) {
    return { is: 'deferred', message: `no transport is set for the ${work.router.name} router` }
  }
  const hosts = verdict.hosts
  const details = await settleDetails(work)
  if (isTrouble(details)) return deferred(details)
  const taken: TakenAddress = {
    ...details,
    errorsTo: envelope.errorsTo,
    headersAdd: envelope.headersAdd,
    headersRemove: envelope.headersRemove,
    ...(envelope.ignoreErrors && { ignoreErrors: true as const }),
    transport,
    hosts,
    fallbackHosts: verdict.secondary === true ? [] : fallbackHosts(work),
    ...(verdict.secondary && { secondary: true as const }),
  }
  const address = verdict.shown === undefined ? taken : { ...taken, shown: verdict.shown }
  // Header changes may differ from address to address: Exim manual, "same_domain_copy_routing".
  const plain = address.headersAdd.length === 0 && address.headersRemove.length === 0
  return verdict.forDomain === true && plain
    ? { is: 'taken', address, forDomain: true }
    : { is: 'taken', address }
}

function fallbackHosts(work: RouterWork): readonly RouteHost[] {
  const list = work.router.settings.fallback_hosts
  return list === undefined ? [] : parseFallbackHosts(list.text, work.context)
}

function envelopeOf({ errorsTo, headersAdd, headersRemove }: Envelope): SettledEnvelope {
  return { errorsTo, headersAdd, headersRemove }
}

/** User, group, directories and logging: alike for addresses and for pipes and files. Where it goes is for the caller. */
async function settleDetails(work: RouterWork): Promise<TakenAddress | ExpansionTrouble> {
  const { router, candidate } = work
  const { settings } = router
  const ids = await settleIds(work)
  if (isTrouble(ids)) return ids
  // There is no $home of the delivery yet, and that of the router is another.
  const context = withHome(work.context, undefined)
  const home = await directoryOf(settings.transport_home_directory, { ...work, context })
  const current = await directoryOf(settings.transport_current_directory, work)
  return {
    candidate,
    address: candidate.address,
    uniqueKey: candidate.uniqueKey,
    transport: undefined,
    hosts: [],
    fallbackHosts: [],
    errorsTo: undefined,
    headersAdd: [],
    headersRemove: [],
    facts: work.facts,
    recipient: candidate.recipient,
    ancestors: ancestorsOf(candidate),
    router,
    uid: ids.uid,
    gid: ids.gid,
    initgroups: settings.initgroups,
    homeDirectory: home ?? transportHome(work),
    currentDirectory: current,
    disableLogging: settings.disable_logging,
    ...(candidate.hidden && { hiddenInReports: true as const }),
    ...(candidate.ignoreErrors && { ignoreErrors: true as const }),
    logAsLocal: settings.log_as_local ?? router.driver === 'accept',
    retryUseLocalPart: retryUsesLocalPart(router.settings),
    ...oneTimeOf(candidate),
  }
}

function directoryOf(
  option: Expandable | undefined,
  { context }: RouterWork,
): Awaitable<Text | Failure | undefined> {
  return option === undefined ? undefined : context.ports.expand(option, context)
}

/** The account's home goes before router_home_directory. Source: Exim manual, "router_home_directory". */
function transportHome(work: RouterWork): Text | undefined {
  return work.ugid.home ?? work.facts.home
}

/** Source: Exim manual, router option "retry_use_local_part". */
export function retryUsesLocalPart(settings: RouterInstance['settings']): boolean {
  return (
    settings.retry_use_local_part ??
    (settings.check_local_user ||
      settings.local_parts !== undefined ||
      settings.condition !== undefined ||
      settings.local_part_prefix !== undefined ||
      settings.local_part_suffix !== undefined ||
      settings.senders !== undefined ||
      settings.require_files !== undefined)
  )
}

async function redirect(
  { items, rewrite, goesOn, refusal }: RouterVerdict & { readonly is: 'redirect' },
  work: RouterWork,
): Promise<Finished | Deferred> {
  const envelope = await settleEnvelope(work)
  if (isTrouble(envelope)) return deferred(envelope)
  const children: Child[] = []
  for (const item of items) {
    if (item.is === 'special') {
      const special = await specialAddress(item.special, envelope, work)
      if (isTrouble(special)) return deferred(special)
      children.push({ is: 'taken', address: special })
      continue
    }
    children.push({ is: 'candidate', candidate: await childOf(item, envelope, rewrite, work) })
  }
  return {
    is: 'redirected',
    children,
    work,
    ...(goesOn && { goesOn: envelopeOf(envelope) }),
    ...(refusal && { refusal }),
  }
}

async function childOf(
  item: RedirectedItem & { readonly is: 'address' | 'self' },
  envelope: Envelope,
  rewrite: boolean,
  work: RouterWork,
): Promise<Candidate> {
  const { candidate, router, services } = work
  let { localPart, domain } = item.is === 'self' ? candidate : item
  if (rewrite && item.is === 'address') {
    const rewritten = await services.rewrite(`${localPart}@${domain}`, work.context)
    const at = rewritten.lastIndexOf('@')
    if (at > 0) {
      localPart = rewritten.slice(0, at)
      domain = rewritten.slice(at + 1)
    }
  }
  return childCandidate(work, {
    ...envelopeOf(envelope),
    ...(item.is === 'address' && item.errorsTo !== undefined && { errorsTo: item.errorsTo }),
    localPart,
    domain,
    startAt: router.settings.redirect_router,
    ignoreErrors: envelope.ignoreErrors || (item.is === 'address' && item.noError === true),
    hidden: hidesChildren(work),
    oneTime: privateSetting(router, 'one_time') === true,
  })
}

async function reroute(
  { domain, rewriteHeaders }: RouterVerdict & { readonly is: 'reroute' },
  work: RouterWork,
): Promise<Finished | Deferred> {
  const envelope = await settleEnvelope(work)
  if (isTrouble(envelope)) return deferred(envelope)
  const child = childCandidate(work, {
    ...envelopeOf(envelope),
    localPart: splitAddress(work.candidate.address).localPart,
    domain,
    ignoreErrors: envelope.ignoreErrors,
    startAt: work.router.settings.redirect_router,
    hidden: false,
    oneTime: false,
  })
  return {
    is: 'redirected',
    children: [{ is: 'candidate', candidate: child }],
    work,
    ...(rewriteHeaders && { domainChange: { from: work.candidate.domain, to: domain } }),
  }
}

/** A pipe, a file or a directory in place of an address. */
async function specialAddress(
  special: SpecialDelivery,
  envelope: Envelope,
  work: RouterWork,
): Promise<TakenAddress | ExpansionTrouble> {
  const option = `${special.kind}_transport` as const
  const setting = privateSetting(work.router, option)
  const settled = await settleDetails(work)
  if (isTrouble(settled)) return settled
  const { hiddenInReports: _, ...details } = settled
  const transport = isExpandable(setting) ? await findTransport(setting, work) : undefined
  const problem = isTrouble(transport)
    ? transport.message
    : transport === undefined
      ? `${option} unset in ${work.router.name} router`
      : undefined
  const { filtered } = special
  return {
    ...details,
    ...envelopeOf(envelope),
    facts: factsOf(special, work),
    address: special.text,
    uniqueKey: `${special.text}:${work.candidate.uniqueKey}`,
    ancestors: [work.candidate.address, ...ancestorsOf(work.candidate)],
    special: special.kind,
    ...(hidesChildren(work) && { hiddenInReports: true as const }),
    transport: isTrouble(transport) ? undefined : transport,
    hosts: [],
    fallbackHosts: [],
    ...(problem !== undefined && { problem }),
    ...(special.forbidden && { forbidden: true as const }),
    ...(special.tainted && { taint: taintOf(special, isTrouble(transport) ? undefined : transport) }),
    ...(filtered?.reply && { reply: filtered.reply }),
    ...(filtered?.scope && { scope: filtered.scope }),
    ...(filtered?.mode !== undefined && { fileMode: filtered.mode }),
    ...((filtered?.noError === true || envelope.ignoreErrors) && { ignoreErrors: true as const }),
    ...(filtered?.badReply !== undefined && { badReply: filtered.badReply }),
  }
}

function hidesChildren({ router }: RouterWork): boolean {
  return privateSetting(router, 'hide_child_in_errmsg') === true
}

function factsOf({ kind, text }: SpecialDelivery, { facts }: RouterWork): TakenAddress['facts'] {
  if (kind === 'pipe') return { ...facts, addressPipe: text.slice(1) }
  return kind === 'reply' ? facts : { ...facts, addressFile: text }
}

function taintOf(
  { kind, text }: SpecialDelivery,
  transport: TransportInstance | undefined,
): { readonly message: ByteString; readonly errno: number } {
  const name = transport?.name ?? kind
  return kind === 'pipe'
    ? { message: `Tainted '${text.slice(1)}' (command for ${name} transport) not permitted`, errno: 0 }
    : { message: `Tainted '${text}' (file or directory name for ${name} transport) not permitted`, errno: -1 }
}

function isExpandable(value: unknown): value is Parameters<typeof findTransport>[0] {
  return typeof value === 'object' && value !== null && 'text' in value && 'origin' in value
}

function deferred({ message, errno }: ExpansionTrouble): Deferred {
  return { is: 'deferred', message, ...(errno !== undefined && { errno }) }
}

/** The routing of another address of the same domain, for this one. */
export function copyFor(candidate: Candidate, { facts, ...rest }: TakenAddress): TakenAddress {
  const { localPartData: _, prefix: _p, suffix: _s, prefixV: _pv, suffixV: _sv, ...shared } = facts
  const localPart = rest.router.settings.caseful_local_part
    ? candidate.localPart
    : asciiLower(candidate.localPart)
  const { ignoreErrors: _i, hiddenInReports: _h, oneTime: _o, ...routing } = rest
  return {
    ...routing,
    ...(rest.router.settings.errors_to === undefined && { errorsTo: candidate.errorsTo }),
    ...(candidate.ignoreErrors && { ignoreErrors: true as const }),
    ...(candidate.hidden && { hiddenInReports: true as const }),
    ...oneTimeOf(candidate),
    candidate,
    address: candidate.address,
    uniqueKey: candidate.uniqueKey,
    recipient: candidate.recipient,
    ancestors: ancestorsOf(candidate),
    facts: { ...shared, localPart, originalLocalPart: localPart },
  }
}
