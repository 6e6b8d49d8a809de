/**
 * What the non-SMTP ACLs say to a message. Batched SMTP is not really SMTP: they see it, too.
 * Source: Exim manual, "The non-SMTP ACLs".
 */
import type { ByteString } from '../../base/text.ts'
import type { AclResult } from '../../ports.ts'
import type { IncomingMessage } from '../../store/spool/api.ts'
import { oneLine, runAclOption } from './acl.ts'
import { beginScan, checkMime, endScan } from './content-scan.ts'
import { applyAclHeaders } from './prepare.ts'
import { rejectDetail } from './reject-detail.ts'
import type { Session, Transaction } from './session-state.ts'

/** Before any of the message is read. */
export async function askNotSmtpStart({ settings }: Session, { context }: Transaction): Promise<void> {
  await runAclOption(settings.acl_not_smtp_start, 'notsmtp_start', context)
}

export type NotSmtpVerdict =
  /** `discard`: that of an ACL that throws the message away. */
  | { readonly is: 'accepted'; readonly discard: AclResult | undefined }
  /** Logged; `told` is for the caller. */
  | { readonly is: 'rejected'; readonly told: ByteString }

/** Asks `acl_not_smtp_mime` and `acl_not_smtp`; then `take` does what follows while the message is still unpacked. */
export async function askNotSmtp<T>(
  session: Session,
  transaction: Transaction,
  incoming: IncomingMessage,
  take: (verdict: NotSmtpVerdict) => Promise<T>,
): Promise<T> {
  beginScan(transaction, incoming)
  try {
    return await take(await decide(session, transaction))
  } finally {
    await endScan(session, transaction)
  }
}

async function decide(session: Session, transaction: Transaction): Promise<NotSmtpVerdict> {
  const { settings, log } = session
  const { message, context } = transaction
  const mime = await checkMime(settings.acl_not_smtp_mime, transaction)
  if (mime === undefined) applyAclHeaders(message)
  const verdict = mime ?? (await runAclOption(settings.acl_not_smtp, 'notsmtp', context))
  if (verdict === undefined || verdict.verdict === 'accept' || verdict.verdict === 'discard') {
    transaction.acceptedBy = verdict?.decidedBy
    return { is: 'accepted', discard: verdict?.verdict === 'discard' ? verdict : undefined }
  }
  const reason = verdict.logMessage ?? verdict.userMessage
  log.reject(
    message.id,
    `F=<${message.sender ?? ''}> rejected by non-SMTP ACL: ${reason === undefined ? 'NULL' : oneLine(reason)}`,
    { detail: rejectDetail(session, '', message.headers) ?? [] },
  )
  return { is: 'rejected', told: verdict.userMessage ?? reason ?? 'local configuration problem' }
}
