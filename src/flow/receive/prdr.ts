/**
 * A reply for each recipient after the data (PRDR). Source: Exim manual, "The SMTP PRDR ACL"; draft-hall-prdr-00;
 * wording observed of Exim 4.96.
 */
import type { ByteString } from '../../base/text.ts'
import { chooseReply } from '../../wire/smtp/replies.ts'
import { oneLine, recipientContext, runAclOption } from './acl.ts'
import type { Session, Transaction, TransactionRecipient } from './session-state.ts'

/** What the recipients got; `undefined`: each is answered by one reply for all. */
export interface PrdrOutcome {
  readonly accepted: number
  readonly deferred: number
  readonly refused: number
  readonly discarded: number
}

/**
 * Asks `acl_smtp_data_prdr` about each recipient and answers it; those refused are taken off the message.
 * Undefined when the client did not ask, or there is but one recipient: then all is as usual.
 */
export async function answerRecipients(
  session: Session,
  transaction: Transaction,
): Promise<PrdrOutcome | undefined> {
  const { message } = transaction
  if (!message.prdrRequested) return undefined
  const { recipients } = transaction
  if (recipients.length < 2) {
    message.prdrRequested = false
    return undefined
  }
  session.reply(353, 'PRDR content analysis beginning')
  const kept: TransactionRecipient[] = []
  const counts = { accepted: 0, deferred: 0, refused: 0, discarded: 0 }
  for (const recipient of recipients) {
    const verdict = await verdictOn(recipient, session, transaction)
    counts[verdict.is]++
    if (verdict.keeps) kept.push(recipient)
    else if (verdict.is === 'accepted') counts.discarded++
    session.reply(verdict.code, verdict.text)
  }
  transaction.recipients.splice(0, transaction.recipients.length, ...kept)
  return counts
}

interface Verdict {
  readonly is: Exclude<keyof PrdrOutcome, 'discarded'>
  readonly keeps: boolean
  readonly code: number
  readonly text: ByteString
}

async function verdictOn(
  { address }: TransactionRecipient,
  session: Session,
  transaction: Transaction,
): Promise<Verdict> {
  const about = await recipientContext(address, transaction.context)
  const result =
    'result' in about
      ? about.result
      : await runAclOption(session.settings.acl_smtp_data_prdr, 'prdr', about.context)
  const verdict = result?.verdict ?? 'accept'
  const is =
    verdict === 'accept' || verdict === 'discard'
      ? ('accepted' as const)
      : verdict === 'defer' || verdict === 'error'
        ? ('deferred' as const)
        : ('refused' as const)
  const usual = usualReplies[is]
  const own = result?.userMessage
  if (own === undefined || own === '') {
    const text = `PRDR R=<${address}> ${usual.word}`
    const why = result?.logMessage === undefined ? '' : `: ${oneLine(result.logMessage)}`
    log(session, transaction, `${text}${why}`, is)
    return { is, keeps: verdict === 'accept', code: usual.code, text }
  }
  log(session, transaction, `PRDR ${address} ${oneLine(result?.logMessage ?? own)}`, is)
  const chosen = chooseReply(own, usual.code)
  return { is, keeps: verdict === 'accept', code: chosen.code, text: chosen.text }
}

const usualReplies = {
  accepted: { code: 250, word: 'acceptance' },
  deferred: { code: 450, word: 'temporary refusal' },
  refused: { code: 550, word: 'refusal' },
} as const

function log(session: Session, { message }: Transaction, text: ByteString, is: keyof PrdrOutcome): void {
  session.log.main(message.id, text, { event: 'smtp:prdr', is })
}

/** The reply for the whole message; undefined: as usual. */
export function prdrFinalReply(
  outcome: PrdrOutcome,
  id: string,
): { readonly code: number; readonly text: ByteString } {
  const { accepted, deferred, refused, discarded } = outcome
  if (accepted > 0) {
    const some = deferred + refused + discarded > 0 ? ' for some recipients' : ''
    return { code: 250, text: `id=${id} message accepted${some}` }
  }
  // Differs from Exim, which says 250 here and has no message.
  if (deferred > 0) return { code: 450, text: `id=${id} message temporarily refused for all recipients` }
  return { code: 550, text: `id=${id} message rejected for all recipients` }
}
