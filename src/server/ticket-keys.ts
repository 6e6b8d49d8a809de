/**
 * Keys of session tickets: made from a secret that all workers of a daemon have in memory and that is never written
 * down, another one each hour. Source: Exim manual, "TLS Resumption", "Security aspects".
 */
import { hkdfSync, randomBytes } from 'node:crypto'

const hourMs = 3_600_000
/** Set by the privileged parent for its workers. */
export const ticketSecretVariable = 'POSTERN_TICKET_SECRET'

/** A new secret, as it is handed to workers. */
export function newTicketSecret(): string {
  return randomBytes(32).toString('base64')
}

export function createTicketKeys(now: () => number): () => string {
  const given = process.env['POSTERN_WORKER'] === undefined ? undefined : process.env[ticketSecretVariable]
  const secret = given ?? newTicketSecret()
  // Programs that are started from here have no use for it.
  delete process.env[ticketSecretVariable]
  let hour = -1
  let key = ''
  return () => {
    const current = Math.floor(now() / hourMs)
    if (current !== hour) {
      hour = current
      key = Buffer.from(hkdfSync('sha256', secret, '', `tickets ${current}`, 48)).toString('base64')
    }
    return key
  }
}
