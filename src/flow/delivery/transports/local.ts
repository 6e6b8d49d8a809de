/** The frame of local transports: identity, copy of the headers, running the job, its result. */
import { Failure } from '../../../base/outcome.ts'
import type { ByteString } from '../../../base/text.ts'
import type { Context } from '../../../ports.ts'
import { headerSection } from '../copy.ts'
import { localIdentity, type LocalIdentity } from '../local-identity.ts'
import { type LocalJob, type LocalResult, runLocalJob } from '../local-job.ts'
import { type AddressOutcome, type AddressResult, errorNumbers, type TransportResult } from '../results.ts'
import { tellSaid } from '../local/said.ts'
import { localRetryKey } from '../retry/record.ts'
import { withHome } from '../../home.ts'
import type { RoutedAddress } from '../../routed.ts'
import type { Batch, DeliveryEnvironment } from './driver.ts'
import type { RecipientVerdict } from './smtp-transaction.ts'
import { sharedOutcome } from './shared.ts'
import { transportFilterOf } from './transport-filter.ts'

/** What a local transport makes of the options, or why it cannot. */
export type JobOrOutcome = { readonly job: LocalJob } | { readonly outcome: AddressOutcome }

export interface LocalFrame {
  readonly identity: LocalIdentity
  /** Header section and blank line, LF line ends. */
  readonly head: ByteString
}

/** Runs a batch through a transport that writes files or runs commands. */
export async function runLocal(
  batch: Batch,
  context: Context,
  environment: DeliveryEnvironment,
  prepare: (frame: LocalFrame, context: Context) => Promise<JobOrOutcome>,
  afterwards?: (result: LocalResult, context: Context) => Promise<void>,
): Promise<TransportResult> {
  const startedAt = context.ports.now()
  const outcome = await deliver(batch, context, environment, prepare, afterwards)
  const deliveryMs = context.ports.now() - startedAt
  const each = Array.isArray(outcome) ? outcome : batch.addresses.map(() => outcome)
  return {
    hosts: [],
    addresses: batch.addresses.map((routed, i) => oneOf(routed, retried(each[i], routed, batch), deliveryMs)),
  }
}

/**
 * Mistakes that count in the retry rules, so that the address fails when its time is over: whom the delivery is for, where it runs, what
 * stands before and behind the message. Others wait for the administrator. Observed of Exim 4.96.
 */
const retriedMistakes: ReadonlySet<number> = new Set([
  errorNumbers.badGroup,
  errorNumbers.expansionFailed,
  errorNumbers.neverUser,
  errorNumbers.notAbsolute,
])

function retried(
  outcome: AddressOutcome | undefined,
  { address }: RoutedAddress,
  batch: Batch,
): AddressOutcome | undefined {
  if (
    outcome?.is !== 'deferred' ||
    outcome.retryKey !== undefined ||
    !retriedMistakes.has(outcome.error.errno)
  )
    return outcome
  return { ...outcome, retryKey: localKey(address, batch) }
}

function oneOf(
  routed: RoutedAddress,
  outcome: AddressOutcome | undefined,
  deliveryMs: number,
): AddressResult {
  return { routed, deliveryMs, outcome: outcome ?? deferral('no answer', errorNumbers.unknown) }
}

async function deliver(
  batch: Batch,
  base: Context,
  environment: DeliveryEnvironment,
  prepare: (frame: LocalFrame, context: Context) => Promise<JobOrOutcome>,
  afterwards?: (result: LocalResult, context: Context) => Promise<void>,
): Promise<AddressOutcome | AddressOutcome[]> {
  const first = batch.addresses[0]
  if (first === undefined) return deferral('no address to deliver to', errorNumbers.unknown)
  const identity = await localIdentity(
    batch.transport.settings,
    batch.transport.name,
    asCreator(first, batch, base),
    base,
  )
  if ('failure' in identity) {
    if (identity.told !== true) base.ports.log.panic(base.message?.id, identity.failure)
    return deferral(identity.failure, identity.errno)
  }
  const context = identity.home === undefined ? base : withHome(base, identity.home)
  const common = await sharedOutcome(batch, context)
  if (common !== undefined) return common
  const forbidden = await neverUser(identity.uid, batch.transport.name, context, environment)
  if (forbidden !== undefined) return deferral(forbidden, errorNumbers.neverUser)
  const other = foreignUser(identity, first, batch, context)
  if (other !== undefined) {
    context.ports.log.panic(context.message?.id, other)
    return {
      is: 'deferred',
      error: { errno: errorNumbers.unknown, more: 0, message: undefined },
      freeze: true,
    }
  }
  const section = await headerSection(
    {
      settings: batch.transport.settings,
      headers: environment.claim.message.envelope.headers,
      addresses: batch.addresses,
      returnPath: batch.returnPath,
      now: context.ports.now(),
      deps: environment.deps,
    },
    context,
  )
  if ('failure' in section) {
    const unwritten = await prepare({ identity, head: '' }, context)
    if ('outcome' in unwritten) return unwritten.outcome
    return deferral(whileWriting(section.failure, unwritten.job), errorNumbers.headersNotExpanded)
  }
  const head = batch.transport.settings.body_only ? '' : `${section.text}\n`
  const acting = environment.deps.runAs === undefined ? underOwnIds(identity) : identity
  const made = await prepare({ identity: acting, head }, context)
  if ('outcome' in made) return made.outcome
  const filter = await transportFilterOf(batch, context)
  if (filter !== undefined && 'outcome' in filter) return filter.outcome
  const within = acting === identity ? made.job : outsideHomes(made.job)
  const job = filter === undefined ? within : { ...within, filter }
  const result = await explained(job, context, () => runJob(job, acting, batch, environment))
  await afterwards?.(result, context)
  if (result.is === 'done' && result.verdicts !== undefined) {
    return result.verdicts.map((verdict, i) => ofVerdict(verdict, result.sizeBytes, batch, i))
  }
  return asOutcome(result, first.address, batch)
}

/** Why a header section was not made, and what it was for. The words are those of Exim 4.96. */
function whileWriting(failure: ByteString, job: LocalJob): ByteString {
  const [what, why] = splitAt(failure, ': ')
  switch (job.kind) {
    case 'mbox':
      return `${what} while writing to ${job.file}: ${why}`
    case 'maildir':
      return `${what} while writing to tmp/${job.name}: ${why}`
    case 'folder':
      return `${what} while writing to ${job.directory}/${job.temporaryName}: ${why}`
    case 'pipe':
      return failure.replace(/^f/, 'F')
    default:
      return failure
  }
}

function splitAt(text: ByteString, mark: string): [ByteString, ByteString] {
  const at = text.indexOf(mark)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + mark.length)]
}

/** Such a server may not enter the homes of others, and need not to write elsewhere: only commands run there. */
function outsideHomes(job: LocalJob): LocalJob {
  return job.kind === 'pipe' || job.kind === 'lmtp' ? job : { ...job, currentDirectory: '/' }
}

/** A server that nobody gave root delivers under the ids it has, whatever the transport names. */
function underOwnIds(identity: LocalIdentity): LocalIdentity {
  const { uid, gid } = identity
  return { ...identity, uid: process.geteuid?.() ?? uid, gid: process.getegid?.() ?? gid }
}

/** With an explanation: whom an lmtp transport speaks to, the dialogue, and what came of it. */
async function explained(
  job: LocalJob,
  { trace }: Context,
  run: () => Promise<LocalResult>,
): Promise<LocalResult> {
  if (job.kind !== 'lmtp' || trace === undefined) return run()
  const { over } = job
  const step = trace.begin(
    'host',
    'socket' in over ? `socket ${over.socket}` : `command ${over.argv.join(' ')}`,
  )
  const result = await run()
  tellSaid(step, result.dialogue ?? [])
  step.end(cameOf(result))
  return result
}

function cameOf(result: LocalResult): ByteString {
  if (result.is !== 'done') return result.message
  const verdicts = result.verdicts ?? []
  return verdicts.some((verdict) => verdict.is === 'delivered') ? 'took it' : 'took none of the addresses'
}

/** `deliver_drop_privilege`: under the run-time user or not at all. The sentence when it is to be another one. */
function foreignUser(
  { uid, gid }: LocalIdentity,
  { facts, address }: RoutedAddress,
  { transport }: Batch,
  { settings, server }: Context,
): string | undefined {
  if (!settings.deliver_drop_privilege && !settings.mua_wrapper) return undefined
  if (uid === server.eximUid && gid === server.eximGid) return undefined
  return (
    `unable to set gid=${gid} or uid=${uid} (euid=${server.eximUid}): ` +
    `local delivery to ${facts.localPart} <${address}> transport=${transport.name}`
  )
}

/** `pipe_as_creator`: without a user of the transport, whoever handed the message in. */
function asCreator(first: RoutedAddress, { transport }: Batch, { message }: Context): RoutedAddress {
  const wanted: unknown = Reflect.get(transport.settings, 'pipe_as_creator')
  if (wanted !== true || message === undefined) return first
  return { ...first, uid: message.originator.uid, gid: message.originator.gid }
}

async function runJob(
  job: LocalJob,
  identity: LocalIdentity,
  batch: Batch,
  environment: DeliveryEnvironment,
): Promise<LocalResult> {
  const { deps, claim } = environment
  const body = batch.transport.settings.headers_only ? emptyBody() : claim.message.body()
  const mine = process.getuid?.() === identity.uid && process.getgid?.() === identity.gid
  if (deps.runAs !== undefined && !mine) return deps.runAs(identity.uid, identity.gid, job, body)
  return runLocalJob(job, body)
}

async function* emptyBody(): AsyncIterable<Uint8Array> {}

/** Root, and who is listed in never_users, gets no delivery under its own uid. */
async function neverUser(
  uid: number,
  transport: string,
  context: Context,
  environment: DeliveryEnvironment,
): Promise<string | undefined> {
  if (environment.deps.runAs === undefined) return undefined
  const refused = `User ${uid} set for ${transport} transport is on the never_users list`
  if (uid === 0) return refused
  const list = context.settings.never_users
  if (list === undefined) return undefined
  const value = await context.ports.expand(list, context)
  if (value instanceof Failure) return `failed to expand never_users: ${value.message}`
  for (const item of context.ports.splitList(value)) {
    const name = typeof item === 'string' ? item : item.text
    const listed = /^\d+$/.test(name) ? Number(name) : context.ports.accounts.byName(name)?.uid
    if (listed === uid) return refused
  }
  return undefined
}

/** LMTP: each recipient has its own answer. */
function ofVerdict(
  verdict: RecipientVerdict,
  sizeBytes: number,
  batch: Batch,
  index: number,
): AddressOutcome {
  if (verdict.is === 'delivered') return { is: 'delivered', sizeBytes, confirmation: verdict.confirmation }
  if (verdict.is === 'failed') return { is: 'failed', error: verdict.error }
  const address = batch.addresses[index]?.address ?? ''
  return { is: 'deferred', error: verdict.error, retryKey: localKey(address, batch) }
}

function asOutcome(result: LocalResult, address: ByteString, batch: Batch): AddressOutcome {
  if (result.is === 'done') {
    return { is: 'delivered', sizeBytes: result.sizeBytes, returnedOutput: result.output }
  }
  const error = {
    errno: result.errno,
    more: result.more,
    errorText: result.errorText,
    message: result.message,
  }
  const { output: returnedOutput, freeze = false, bounceText } = result
  const common = { error, returnedOutput, freeze, bounceText }
  return result.is === 'failed'
    ? { is: 'failed', ...common }
    : { is: 'deferred', ...common, retryKey: localKey(address, batch) }
}

/** Keyed by the address unless `retry_use_local_part` is off for the transport. */
export function localKey(address: ByteString, batch: Pick<Batch, 'transport'>): string {
  const withLocalPart = batch.transport.settings.retry_use_local_part ?? true
  return localRetryKey(
    withLocalPart ? address.toLowerCase() : address.slice(address.lastIndexOf('@') + 1).toLowerCase(),
  )
}

export function deferral(
  message: ByteString,
  errno: number,
): Extract<AddressOutcome, { readonly is: 'deferred' }> {
  return { is: 'deferred', error: { errno, more: 0, message } }
}
