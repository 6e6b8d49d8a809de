/** Is there room in the spool? Source: Exim manual, `check_spool_space`, `smtp_check_spool_space`. */
import type { ReceiveServices } from './services.ts'

/** False when taking `bytes` more would go below `check_spool_space` or `check_spool_inodes`. */
export async function spoolHasRoom(
  receiver: { readonly services: ReceiveServices },
  bytes: number,
): Promise<boolean> {
  const { context, spool } = receiver.services
  const { check_spool_space: leastBytes, check_spool_inodes: leastInodes } = context.settings
  if (leastBytes <= 0 && leastInodes <= 0 && bytes <= 0) return true
  const space = spool.space()
  const enough =
    space.freeBytes >= leastBytes + bytes && (space.freeInodes < 0 || space.freeInodes >= leastInodes)
  if (!enough) {
    const shown = Math.floor(space.freeBytes / 1024)
    context.ports.log.main(
      undefined,
      `spool directory space check failed: space=${shown} inodes=${space.freeInodes}`,
      { event: 'spool:full' },
    )
  }
  return enough
}
