/** Is there room in the spool and for the logs? Source: Exim manual, `check_spool_space`, `smtp_check_spool_space`. */
import type { Context } from '../../ports.ts'
import type { ReceiveServices } from './services.ts'

interface Space {
  readonly freeBytes: number
  /** -1: not known. */
  readonly freeInodes: number
}

/** False when taking `bytes` more would go below `check_spool_space` and its kin. */
export async function spoolHasRoom(
  receiver: { readonly services: Pick<ReceiveServices, 'spool'>; readonly context: Context },
  bytes: number,
): Promise<boolean> {
  const { spool } = receiver.services
  const { settings, server, ports } = receiver.context
  const enough = (what: string, space: () => Space | undefined, least: Space): boolean => {
    if (least.freeBytes <= 0 && least.freeInodes <= 0) return true
    const now = space()
    if (now === undefined) return true
    if (now.freeBytes >= least.freeBytes && (now.freeInodes < 0 || now.freeInodes >= least.freeInodes))
      return true
    const shown = Math.floor(now.freeBytes / 1024)
    ports.log.main(
      undefined,
      `${what} directory space check failed: space=${shown} inodes=${now.freeInodes}`,
      { event: 'spool:full' },
    )
    return false
  }
  const spoolLeast = {
    freeBytes: settings.check_spool_space + bytes,
    freeInodes: settings.check_spool_inodes,
  }
  if (!enough('spool', () => spool.space(), spoolLeast)) return false
  const { logFolder } = server
  if (logFolder === undefined) return true
  const logLeast = { freeBytes: settings.check_log_space, freeInodes: settings.check_log_inodes }
  return enough('log', () => ports.files.space(logFolder), logLeast)
}
