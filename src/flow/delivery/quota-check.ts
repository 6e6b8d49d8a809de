/** `verify = recipient/quota`: has the mailbox of an address room? Source: Exim manual, "Quota caching". */
import type { ByteString } from '../../base/text.ts'
import type { Context, VerifyResult } from '../../ports.ts'
import type { CalloutTarget, QuotaCheck } from '../callout-types.ts'
import type { RoutedAddress } from '../routed.ts'
import type { DeliveryDeps } from './deps.ts'
import { localIdentity } from './local-identity.ts'
import { runLocalJob } from './local-job.ts'
import { addressContext } from './raise.ts'
import { errorNumbers } from './results.ts'
import { quotaJobOf } from './transports/appendfile.ts'
import { UniqueClock } from './unique-clock.ts'

export interface QuotaCheckDeps {
  /** Runs a job under another uid; gives undefined when only our own can be used. */
  runAs(): DeliveryDeps['runAs'] | undefined
}

/** What is remembered of an address. */
interface QuotaRecord {
  readonly quota: 'room' | 'full'
  /** Milliseconds of the time the record was made. */
  readonly at: number
}

/** A file system that hangs must not hold a session up for ever. */
const longestMs = 30_000

export function createQuotaCheck(deps: QuotaCheckDeps): QuotaCheck {
  const clock = new UniqueClock()
  return async (target, options, context) => {
    if (!isAppendfile(target)) return { is: 'ok' }
    const { debug, ports } = context
    const key = `quota:${target.address}`
    const known = remembered(ports.hints.get('callout', key))
    if (known !== undefined) {
      const seconds = known.quota === 'room' ? options.positiveSeconds : options.negativeSeconds
      if (ports.now() - known.at < seconds * 1000) {
        debug?.('verify', `quota cache: found ${known.quota === 'room' ? 'positive' : 'negative'} record`)
        return known.quota === 'room' ? { is: 'ok' } : full('Previous (cached) quota verification failure')
      }
      debug?.('verify', `quota cache: record expired for ${target.address}`)
    }
    const looked = await look(target, context, deps, clock)
    if (looked.is === 'defer') return looked
    const quota = looked.is === 'ok' ? 'room' : 'full'
    const seconds = quota === 'room' ? options.positiveSeconds : options.negativeSeconds
    if (seconds > 0) {
      ports.hints.put('callout', key, { quota, at: ports.now() } satisfies QuotaRecord)
    }
    return looked
  }
}

function isAppendfile(target: CalloutTarget): target is RoutedAddress {
  return target.transport?.driver === 'appendfile'
}

async function look(
  routed: RoutedAddress,
  outer: Context,
  deps: QuotaCheckDeps,
  clock: UniqueClock,
): Promise<VerifyResult> {
  const base = addressContext(outer, routed)
  const identity = await localIdentity(routed.transport.settings, routed.transport.name, routed, base)
  if ('failure' in identity) return deferred(identity.failure)
  const context: Context =
    identity.home === undefined ? base : { ...base, address: { ...routed.facts, home: identity.home } }
  const made = await quotaJobOf(routed, identity, context, clock)
  if (made === undefined) return { is: 'ok' }
  if ('outcome' in made) {
    return deferred(made.outcome.is === 'delivered' ? '' : (made.outcome.error.message ?? ''))
  }
  const runAs = deps.runAs()
  const mine = process.getuid?.() === identity.uid && process.getgid?.() === identity.gid
  const work =
    runAs === undefined || mine
      ? runLocalJob(made.job, noBody())
      : runAs(identity.uid, identity.gid, made.job, noBody())
  const result = await withLimit(work)
  if (result === undefined) return deferred('the file system does not answer')
  if (result.is === 'done') return { is: 'ok' }
  if (result.errno !== errorNumbers.mailboxFull) return deferred(result.message)
  context.debug?.('verify', result.message)
  return full('Over quota')
}

async function withLimit<T>(work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), longestMs)
  })
  return Promise.race([work, limit]).finally(() => clearTimeout(timer))
}

/** The client is not told more: observed of Exim 4.96. */
function full(logMessage: ByteString): VerifyResult {
  return { is: 'fail', failure: 'quota', userMessage: undefined, logMessage }
}

function deferred(message: ByteString): VerifyResult {
  return { is: 'defer', userMessage: message, logMessage: message }
}

function remembered(value: unknown): QuotaRecord | undefined {
  // Only this file writes under such keys.
  return typeof value === 'object' && value !== null && 'quota' in value ? (value as QuotaRecord) : undefined
}

async function* noBody(): AsyncIterable<Uint8Array> {}
