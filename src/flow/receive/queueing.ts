/** Does a new message start a delivery at once? Source: Exim manual, `queue_only`, `smtp_accept_queue`. */
import type { Accepted } from './services.ts'
import type { Session, Transaction } from './session-state.ts'

export function deliverHow(session: Session, transaction: Transaction): Accepted {
  const { settings, services, log } = session
  const { controls } = transaction.message
  if (controls.queueOnly) return { then: 'queue', because: 'control = queue_only' }
  if (controls.freeze) return { then: 'queue', because: 'frozen' }
  if (services.queueing === 'queue') return { then: 'queue', because: '-odq' }
  const overridden = services.queueing === 'deliver' && settings.queue_only_override
  if (settings.queue_only && !overridden) return { then: 'queue', because: 'queue_only' }
  if (!session.remote) return { then: 'deliver' }
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
    return { then: 'queue', because: 'smtp_accept_queue_per_connection' }
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
    return { then: 'queue', because: 'smtp_accept_queue' }
  }
  return { then: 'deliver' }
}
