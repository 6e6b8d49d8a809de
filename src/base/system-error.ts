/** What the system says of a file or a call that failed, for people. */
import { getSystemErrorMap } from 'node:util'

/** `no such file or directory`, where Node says `ENOENT: no such file or directory, open '/nope'`. */
export function systemReason(error: unknown): string {
  const errno = error instanceof Error && 'errno' in error ? Number(error.errno) : 0
  return getSystemErrorMap().get(errno)?.[1] ?? (error instanceof Error ? error.message : String(error))
}
