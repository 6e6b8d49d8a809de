/**
 * `mua_wrapper`: one delivery to one place, now, of all or of nothing; the caller hears of failure, nobody else does.
 * Source: Exim manual, "Using Exim as a non-queueing client"; words observed of Exim 4.96.
 */
import type { ByteString } from '../../base/text.ts'
import type { RoutedAddress } from '../routed.ts'
import type { Attempt } from './attempt.ts'
import { complete } from './finish.ts'
import { transactionKey } from './group.ts'
import { errorSentence } from './raise.ts'
import { recordBatch } from './record.ts'
import type { AddressResult, DeliverySummary, TransportResult } from './results.ts'

export interface OneTransaction {
  readonly isLocal: (routed: RoutedAddress) => boolean
  /** Runs all addresses through their transport. */
  run(addresses: readonly RoutedAddress[]): Promise<TransportResult>
}

/** Delivers what was routed, and is done with the message whatever comes of it. */
export async function deliverWrapped(
  attempt: Attempt,
  routed: readonly RoutedAddress[],
  transaction: OneTransaction,
): Promise<DeliverySummary> {
  const problem =
    badRouting(attempt, routed, transaction) ??
    severalTransactions(attempt, routed) ??
    (await runOnce(attempt, routed, transaction))
  // There is no queue for it to wait in.
  return { ...(await complete(attempt)), ...(problem === undefined ? {} : { problem }) }
}

function badRouting(
  attempt: Attempt,
  routed: readonly RoutedAddress[],
  { isLocal }: OneTransaction,
): ByteString | undefined {
  const told = (which: string, { recipient }: Pick<RoutedAddress, 'recipient'>, why = ''): ByteString => {
    // A failure has a line of its own already.
    if (which !== 'failed') attempt.log(`** ${recipient.address} routing yielded a ${which} delivery`)
    return `routing ${recipient.address} yielded a ${which} delivery${why === '' ? '' : `: ${why}`}`
  }
  const local = routed.find((one) => isLocal(one))
  if (local !== undefined) return told('local', local)
  const [deferred] = attempt.deferred
  if (deferred !== undefined) return told('deferred', deferred, errorSentence(deferred.error))
  const [failed] = attempt.failed
  return failed === undefined ? undefined : told('failed', failed, failed.message)
}

function severalTransactions(attempt: Attempt, routed: readonly RoutedAddress[]): ByteString | undefined {
  if (new Set(routed.map(transactionKey)).size < 2) return undefined
  attempt.log('** mua_wrapper is set but recipients cannot all be delivered in one transaction')
  return 'delivery to smarthost failed (configuration problem)'
}

async function runOnce(
  attempt: Attempt,
  routed: readonly RoutedAddress[],
  transaction: OneTransaction,
): Promise<ByteString | undefined> {
  if (routed.length === 0) return undefined
  const tried = await transaction.run(routed)
  // An error of the message alone is told of its addresses.
  for (const { line, ofMessage } of tried.hosts) if (line !== undefined && !ofMessage) attempt.log(line)
  // What is refused for now is refused for good, and nothing is remembered of hosts.
  const addresses = tried.addresses.map(withoutDeferral)
  await recordBatch(attempt, { ...tried, addresses, hosts: [] }, false)
  const last = addresses.findLast(({ outcome }) => outcome.is === 'failed')
  if (last?.outcome.is !== 'failed') return undefined
  const { error, host } = last.outcome
  const where = host === undefined ? '' : `H=${host.name} [${host.address}]: `
  return `Delivery failed: ${where}${errorSentence(error)}`
}

function withoutDeferral(one: AddressResult): AddressResult {
  const { outcome } = one
  if (outcome.is !== 'deferred') return one
  const { error, host, diagnostic } = outcome
  return { ...one, outcome: { is: 'failed', error, host, diagnostic } }
}
