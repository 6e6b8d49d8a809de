import type { Envelope } from '../../mail/envelope.ts'
import type { Session, Transaction } from './session-state.ts'

/** `control = freeze`: told in the log, and to those whom `freeze_tell` names. */
export async function frozenByAcl(
  session: Session,
  { message }: Transaction,
  envelope: Envelope,
): Promise<void> {
  if (envelope.frozenAt === undefined) return
  session.log.main(envelope.id, 'frozen by ACL', { event: 'msg:frozen' })
  const to = session.settings.freeze_tell
  if (to === undefined || to === '' || message.controls.freezeNoTell || session.connection.hostChecking)
    return
  await session.services.tellFrozen?.(envelope, to)
}
