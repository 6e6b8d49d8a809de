/**
 * Changes an administrator makes to a message in the queue: `-Mmad`, `-Mmd`, `-Mar`, `-Mes`, `-Mf`, `-Mt`, `-Mrm`.
 * Each takes a claim, changes the message, writes Exim's log line and gives the sentence to print.
 * The claim stays with the caller, except after `removeMessage`. Source: Exim manual, "Options for administrators".
 */
import type { ByteString } from '../../base/text.ts'
import type { Log } from '../../ports.ts'
import type { Claim } from '../../store/spool/api.ts'

export interface Administrator {
  readonly log: Log
  /** Login of who asks. */
  readonly by: string
  readonly now: number
}

export interface ChangeResult {
  readonly is: 'ok' | 'failed'
  /** What `exim -M...` prints after `Message ID`. */
  readonly says: ByteString
}

const modified: ChangeResult = { is: 'ok', says: 'has been modified' }

function note(claim: Claim, who: Administrator, text: ByteString): void {
  const line = `${text} by ${who.by}`
  who.log.main(claim.id, line)
  claim.log(line)
}

/** `-Mmd` for some recipients; without addresses `-Mmad`, for all that are left. */
export async function markDelivered(
  claim: Claim,
  addresses: readonly ByteString[] | undefined,
  who: Administrator,
): Promise<ChangeResult> {
  const { recipients, done } = claim.message.envelope
  const known = new Set(recipients.map((recipient) => recipient.address))
  const stranger = addresses?.find((address) => !known.has(address))
  if (stranger !== undefined) {
    return {
      is: 'failed',
      says: `- error while marking as delivered:\n  ${stranger} is not a recipient: message not updated`,
    }
  }
  const already = new Set(done)
  const marks = (addresses ?? [...known]).filter((address) => !already.has(address))
  for (const address of marks) note(claim, who, `address <${address}> marked delivered`)
  await claim.record({ done: marks })
  return modified
}

/** `-Mar`: the address is complete and correct; the caller has qualified and checked it. */
export async function addRecipient(
  claim: Claim,
  address: ByteString,
  who: Administrator,
): Promise<ChangeResult> {
  await claim.record({ recipients: [...claim.message.envelope.recipients, { address }] })
  note(claim, who, `recipient <${address}> added`)
  return modified
}

/** `-Mes`: empty for `<>`. */
export async function editSender(
  claim: Claim,
  sender: ByteString,
  who: Administrator,
): Promise<ChangeResult> {
  await claim.record({ sender })
  note(claim, who, `sender address changed to <${sender}>`)
  return modified
}

/** `-Mf`. */
export async function freeze(claim: Claim, who: Administrator): Promise<ChangeResult> {
  if (claim.message.envelope.frozenAt !== undefined) return { is: 'ok', says: 'is already frozen' }
  await claim.record({ frozenAt: who.now, manuallyThawed: false })
  note(claim, who, 'frozen')
  return { is: 'ok', says: 'is now frozen' }
}

/** `-Mt`. */
export async function thaw(claim: Claim, who: Administrator): Promise<ChangeResult> {
  if (claim.message.envelope.frozenAt === undefined) return { is: 'ok', says: 'is not frozen' }
  await claim.record({ frozenAt: null, manuallyThawed: true })
  note(claim, who, 'unfrozen')
  return { is: 'ok', says: 'is no longer frozen' }
}

/** `-Mrm`: gone, without a word to anybody. */
export async function removeMessage(claim: Claim, who: Administrator): Promise<ChangeResult> {
  note(claim, who, 'removed')
  await claim.complete()
  who.log.main(claim.id, 'Completed')
  return { is: 'ok', says: 'has been removed' }
}
