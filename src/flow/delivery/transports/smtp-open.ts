/** A connection of the smtp transport, with what is told and asked on the way: events, TLS, authentication. */
import type { ByteString } from '../../../base/text.ts'
import type { Context } from '../../../ports.ts'
import { hostListed } from '../expanding.ts'
import { domainOf } from '../group.ts'
import type { PooledConnection } from '../pool.ts'
import { errorNumbers } from '../results.ts'
import { takePlace } from '../shared-places.ts'
import type { Place } from './smtp-hosts.ts'
import { diagnostic, hostLine } from './smtp-words.ts'
import { authenticate } from './smtp-auth.ts'
import { identityAt } from './smtp-identity.ts'
import { openSession, type SessionOptions } from './smtp-session.ts'
import { reportedSession } from './smtp-report.ts'
import type { TlsWish } from './smtp-tls.ts'
import { addressContext, raiseForConnection } from '../raise.ts'
import { countTlsSession } from '../tls-reports.ts'
import type { SmtpLedger, SmtpRun } from './smtp-ledger.ts'

/**
 * A connection that may be used; undefined: there is none, and the ledger knows why.
 * @param own knows the host
 */
export async function openConnection(
  run: SmtpRun,
  ledger: SmtpLedger,
  place: Place,
  session: SessionOptions,
  key: string,
  own: Context,
): Promise<PooledConnection | undefined> {
  const routed = run.first
  const alone = await turnAt(run, ledger, place, own)
  if (alone === 'taken') return undefined
  const refusal = await raiseForConnection('tcp:connect', '', routed, place, run.context)
  if (refusal !== undefined) {
    alone?.()
    ledger.refusedByEvent(place, key, {
      errno: errorNumbers.eventRefused,
      more: 0,
      errorText: 'Event requests alternate response',
      message: undefined,
    })
    return undefined
  }
  const closed = (): void => {
    alone?.()
    void raiseForConnection('tcp:close', '', routed, place, run.context)
  }
  if (session.tls !== undefined && run.batch.transport.settings.event_action !== undefined) {
    session.tls.certificate = (depth, peerCertificate, facts) => {
      const context = addressContext(run.context, routed, place)
      const delivery = context.delivery && { ...context.delivery, tls: { ...facts, peerCertificate } }
      return refusalOf(run.context.ports.raise('tls:cert', String(depth), { ...context, delivery }))
    }
  }
  const tell = (event: 'smtp:connect' | 'smtp:ehlo', reply: ByteString): Promise<ByteString | undefined> =>
    raiseForConnection(event, reply, routed, place, run.context)
  const events = {
    banner: (reply: ByteString) => tell('smtp:connect', reply),
    ehlo: (reply: ByteString) => tell('smtp:ehlo', reply),
  }
  const opened = await openSession(place, { ...session, events })
  await tellOfTls(run, session.tls, place, opened.is === 'open' ? opened.connection.localAddress : undefined)
  if (opened.is === 'open') return authenticated(run, ledger, { ...opened.connection, closed }, place, key)
  if (opened.connected === true) closed()
  else alone?.()
  if (opened.byEvent === true) {
    ledger.refusedByEvent(place, key, opened.error)
    return undefined
  }
  const host = hostLine(place, undefined)
  // A mistake of ours is not the host's: it is not named behind the address.
  const ours = opened.error.errno === errorNumbers.expansionFailed
  const used = opened.error.message === undefined || ours ? undefined : host
  ledger.hostFailed(place, key, opened.error, false)
  if (opened.permanent) ledger.failPending(opened.error, used, place, opened.reply)
  else ledger.deferPending(opened.error, used, diagnostic(place, opened.reply))
  return undefined
}

/** Source: Exim manual, "serialize_hosts": one connection at a time; gives what ends the turn. */
async function turnAt(
  run: SmtpRun,
  ledger: SmtpLedger,
  place: Place,
  own: Context,
): Promise<(() => void) | 'taken' | undefined> {
  const host = { address: place.address, name: place.name }
  if (!(await hostListed(run.settings.serialize_hosts, host, own))) return undefined
  const turn = await takePlace(run.context.ports.hints, `host-serialize-${place.name}`, 1)
  if (turn !== undefined) return turn
  ledger.notNow(
    `another connection to ${place.name} [${place.address}] is open, and serialize_hosts allows one`,
  )
  return 'taken'
}

/** What became of TLS: a line where the message goes in clear after all, and a count for reports. */
async function tellOfTls(
  run: SmtpRun,
  wish: TlsWish | undefined,
  place: Place,
  sendingIp: string | undefined,
): Promise<void> {
  if (wish === undefined) return
  const { end, failure } = wish.seen
  const inClear = end === 'clear' && failure !== undefined && failure.result !== 'starttls-not-supported'
  if (end === 'failed' || inClear) run.context.ports.count?.('tls_failures_total', 'out')
  if (inClear) {
    run.context.ports.log.main(
      run.environment.claim.id,
      `TLS session: ${failure.why}: delivering unencrypted to H=${place.name} [${place.address}] (not in hosts_require_tls)`,
      { event: 'tls:clear', host: place.name, why: failure.why },
    )
  }
  // Of the result types of RFC 8460 section 4.3: Exim manual, "DANE".
  if (wish.dane.is !== 'none' && end === 'failed' && failure !== undefined) {
    await raiseForConnection('dane:fail', failure.result, run.first, place, run.context)
  }
  if (!run.settings.tls_rpt || end === undefined) return
  const domain = domainOf(run.first)
  const session = reportedSession(wish, domain, place, sendingIp)
  if (session !== undefined) await countTlsSession(run.context.ports.hints, session, run.context.ports.now())
}

/** The connection after authentication, where that is wanted; undefined: not to be used. */
async function authenticated(
  run: SmtpRun,
  ledger: SmtpLedger,
  connection: PooledConnection,
  place: Place,
  key: string,
): Promise<PooledConnection | undefined> {
  const outcome = await authenticate(connection, {
    place,
    settings: run.settings,
    context: run.context,
    id: run.environment.claim.id,
    mark: place.mx ? 77 : 65,
  })
  if (outcome.is !== 'failed') {
    const identity = await identityAt(connection, place, run.settings, run.context)
    return { ...connection, identity, authenticated: outcome.is === 'none' ? undefined : outcome.as }
  }
  connection.client.quit()
  connection.closed?.()
  const { error, atHost } = outcome
  const failed = ledger.hostOutcome(place, key, error, false)
  ledger.hosts.push(atHost ? failed : { ...failed, line: undefined })
  ledger.deferPending(
    error,
    atHost ? hostLine(place, connection) : undefined,
    diagnostic(place, outcome.reply),
  )
  return undefined
}

async function refusalOf(raised: ByteString | Promise<ByteString>): Promise<ByteString | undefined> {
  const value = await raised
  return value === '' ? undefined : value
}
