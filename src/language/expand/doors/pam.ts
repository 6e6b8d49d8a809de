/** The door to PAM: each question is put by a process of its own, some at a time, bounded in time. */
import { fileURLToPath } from 'node:url'
import type { ByteString } from '../../../base/text.ts'
import type { PamRequest, PamResult } from './doors.ts'
import { runProgram } from './run.ts'

export interface PamQuestion {
  readonly user: ByteString
  /** What is given to one question after the other. */
  readonly answers: readonly ByteString[]
}
export interface PamAnswer {
  /** Of Linux-PAM; -1: it cannot be had here. */
  readonly code: number
  readonly message: string
}

const limitMs = 60_000
const mostAtOnce = 5
const mostWaiting = 1000
/** PAM_AUTH_ERR, PAM_USER_UNKNOWN, PAM_ACCT_EXPIRED: all others are no answer. Observed of Exim 4.96. */
const refusals: ReadonlySet<number> = new Set([7, 10, 13])

export function createPam(): (request: PamRequest) => Promise<PamResult> {
  let running = 0
  const waiting: (() => void)[] = []
  return async (request) => {
    if (running >= mostAtOnce) {
      if (waiting.length >= mostWaiting) return { is: 'failed', message: 'PAM is asked too often' }
      await new Promise<void>((resolve) => waiting.push(resolve))
    } else running++
    try {
      return await ask(request)
    } finally {
      const next = waiting.shift()
      if (next === undefined) running--
      else next()
    }
  }
}

async function ask({ user, answers, signal }: PamRequest): Promise<PamResult> {
  const question: PamQuestion = { user, answers }
  const result = await runProgram({
    program: process.execPath,
    argv: [fileURLToPath(new URL('pam-program.js', import.meta.url))],
    environment: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    input: JSON.stringify(question),
    timeoutMs: limitMs,
    outputLimitBytes: 10_000,
    signal,
  })
  if (result.is === 'failed') return { is: 'failed', message: `PAM: ${result.message}` }
  if (result.code !== 0) return { is: 'failed', message: `PAM: its process ended with ${result.code}` }
  // Written by pam-program.ts; a module may have written before it.
  const { code, message } = JSON.parse(result.output.slice(result.output.lastIndexOf('{'))) as PamAnswer
  if (code === 0) return { is: 'yes' }
  return refusals.has(code) ? { is: 'no' } : { is: 'failed', message }
}
