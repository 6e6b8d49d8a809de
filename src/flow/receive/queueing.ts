/**
 * Does a new message start a delivery at once? Source: Exim manual, `queue_only` and its kin, `smtp_accept_queue`,
 * `queue_smtp_domains`; log selector `delay_delivery`.
 */
import type { ByteString } from '../../base/text.ts'
import type { Accepted } from './services.ts'
import type { Session, Transaction } from './session-state.ts'

export function deliverHow(session: Session, transaction: Transaction): Accepted {
  const { settings, services } = session
  const { controls, id } = transaction.message
  // At once or not at all: Exim manual, "Using Exim as a non-queueing client".
  if (settings.mua_wrapper) return { next: 'deliver' }
  if (controls.queueOnly) {
    const where = controls.queueName === undefined ? '' : ` in ${controls.queueName}`
    const queued = delayed(session, id, `queued${where} by ACL`, 'control = queue_only')
    if (!controls.queueFirstPassRoute) return queued
  }
  if (controls.freeze) return { next: 'queue', because: 'frozen' }
  const { queueing } = services
  if (queueing === 'queue') return { next: 'queue', because: '-odq' }
  const overridden = queueing !== undefined && settings.queue_only_override
  // Not overridden: observed of Exim 4.96.
  const files = existingFiles(session)
  if (files.all) return { next: 'queue', because: 'queue_only_file' }
  if (!overridden && settings.queue_only) return { next: 'queue', because: 'queue_only' }
  // Not overridden either.
  const load = tooHighLoad(session)
  if (load !== undefined) return delayed(session, id, `load average ${load.toFixed(2)}`, 'queue_only_load')
  if (session.remote) {
    const perConnection = settings.smtp_accept_queue_per_connection
    if (perConnection > 0 && session.messagesAccepted > perConnection) {
      const why = `more than ${perConnection} messages received in one connection`
      return delayed(session, id, why, 'smtp_accept_queue_per_connection')
    }
    if (services.queueWhy !== undefined) return delayed(session, id, services.queueWhy, 'smtp_accept_queue')
  }
  const later = queueing === 'smtp later' || files.smtp || controls.queueFirstPassRoute
  return { next: 'deliver', ...(later ? { later: 'all' } : {}) }
}

function delayed({ log }: Session, id: string, why: string, because: string): Accepted {
  if (log.selects('delay_delivery')) log.main(id, `no immediate delivery: ${why}`, { event: 'msg:queued' })
  return { next: 'queue', because }
}

/** The load when it is above `queue_only_load`; with `queue_only_load_latch` the first such load holds on. */
function tooHighLoad(session: Session): number | undefined {
  const { settings, services } = session
  const most = settings.queue_only_load
  if (most === undefined) return undefined
  if (settings.queue_only_load_latch && session.latchedLoad !== undefined) return session.latchedLoad
  const load = services.load()
  session.context.debug?.('load', `system load average = ${load.toFixed(2)} (queue_only_load ${most})`)
  if (load <= most) return undefined
  session.latchedLoad = load
  return load
}

/** Files of `queue_only_file` that exist: for all messages, and for what goes out by SMTP. */
function existingFiles({ settings, context }: Session): { readonly all: boolean; readonly smtp: boolean } {
  let all = false
  let smtp = false
  for (const item of settings.queue_only_file ?? []) {
    const path: ByteString = item.replace(/^smtp(?=\/)/, '')
    const stat = context.ports.files.stat(path)
    if ('error' in stat) continue
    if (path === item) all = true
    else smtp = true
  }
  return { all, smtp }
}
