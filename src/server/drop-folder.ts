/** Where ordinary users hand messages over, beside the spool: others may not even enter the spool itself. */
import { accessSync, constants } from 'node:fs'

export function dropFolderOf(spoolDirectory: string): string {
  return `${spoolDirectory.replace(/\/+$/, '')}-drop`
}

/** True when this process may work in the spool itself. */
export function mayUseSpool(spoolDirectory: string): boolean {
  try {
    accessSync(spoolDirectory, constants.R_OK | constants.W_OK | constants.X_OK)
    return true
  } catch (error) {
    // Where none is yet, it can be made.
    return error instanceof Error && 'code' in error && error.code === 'ENOENT'
  }
}
