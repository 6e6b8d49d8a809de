/** Content scanning around the last ACLs: the copy for scanners, the MIME ACL. Source: Exim manual, "Content scanning at ACL time". */
import type { Expandable } from '../../base/expandable.ts'
import { runMimeAcl } from '../../policy/scanning/mime-acl.ts'
import { clearScanVariables } from '../../policy/scanning/mime-part.ts'
import { dropScanCopy, keepScanCopy, ScanCopy, scanCopyOf } from '../../policy/scanning/scan-copy.ts'
import type { AclResult } from '../../ports.ts'
import type { IncomingMessage } from '../../store/spool/api.ts'
import { runAclOption } from './acl.ts'
import type { Session, Transaction } from './session-state.ts'

/** Whoever wants the message scanned finds it from now on; no file is made before. */
export function beginScan({ message, context }: Transaction, incoming: IncomingMessage): void {
  clearScanVariables(context)
  keepScanCopy(message, new ScanCopy({ read: () => incoming.read() }, context, message))
}

/** Asks `acl_smtp_mime` or its kin about each part; undefined: all were accepted. */
export async function checkMime(
  option: Expandable | undefined,
  { context }: Transaction,
): Promise<AclResult | undefined> {
  if (option === undefined) return undefined
  return runMimeAcl(context, () => runAclOption(option, 'mime', context))
}

/** The copy goes, unless `control = no_mbox_unspool` keeps it. */
export async function endScan(session: Session, { message }: Transaction): Promise<void> {
  const copy = scanCopyOf(message)
  if (copy === undefined) return
  dropScanCopy(message)
  await copy.close().catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error)
    session.log.panic(message.id, `removing the copy for content scanning: ${why}`)
  })
}
