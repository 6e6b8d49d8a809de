/** Errors of files as deliveries tell them. */
import { getSystemErrorMap } from 'node:util'
import type { LocalResult } from '../local-job.ts'
import { errorNumbers } from '../results.ts'

/** Number, sentence and name of an error of the file system. */
export function fileError(error: unknown): { errno: number; text: string; code: string } {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const errno = error instanceof Error && 'errno' in error ? Number(error.errno) : 0
  const known = getSystemErrorMap().get(errno)
  const text = known?.[1] ?? (error instanceof Error ? error.message : String(error))
  return { errno: errno === 0 ? errorNumbers.unknown : Math.abs(errno), text: capital(text), code }
}

/** A deferral with the system's sentence; a full disk counts as a full mailbox for retry rules. */
export function deferredByFile(error: unknown, message: string): LocalResult {
  const { errno, text } = fileError(error)
  return { is: 'deferred', errno, more: 0, errorText: text, message: `${message}: ${text}` }
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}
