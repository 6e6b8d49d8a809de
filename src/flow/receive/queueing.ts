/** Does a new message start a delivery at once? Source: Exim manual, `queue_only`, `smtp_accept_queue`. */
import type { Accepted } from './services.ts'
import type { Session, Transaction } from './session-state.ts'

export function deliverHow(session: Session, transaction: Transaction): Accepted {
  const { settings, services, log } = session
  const { controls } = transaction.message
  if (controls.queueOnly) return { next: 'queue', because: 'control = queue_only' }
  if (controls.freeze) return { next: 'queue', because: 'frozen' }
  if (services.queueing === 'queue') return { next: 'queue', because: '-odq' }
  const overridden = services.queueing === 'deliver' && settings.queue_only_override
  if (settings.queue_only && !overridden) return { next: 'queue', because: 'queue_only' }
  if (!session.remote) return { next: 'deliver' }
  const perConnection = settings.smtp_accept_queue_per_connection
  const delays = log.selects('delay_delivery')
  if (perConnection > 0 && session.messagesAccepted > perConnection) {
    if (delays) {
      log.main(
        transaction.message.id,
        `no immediate delivery: more than ${perConnection} messages received in one connection`,
        { event: 'msg:queued' },
      )
    }
    return { next: 'queue', because: 'smtp_accept_queue_per_connection' }
  }
  const most = settings.smtp_accept_queue
  if (most > 0 && services.connectionCount() > most) {
    if (delays) {
      log.main(
        transaction.message.id,
        `no immediate delivery: too many connections (${services.connectionCount()}, max ${most})`,
        { event: 'msg:queued' },
      )
    }
    return { next: 'queue', because: 'smtp_accept_queue' }
  }
  return { next: 'deliver' }
}
