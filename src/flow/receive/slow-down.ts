/**
 * Delays for clients that send many commands: `smtp_ratelimit_mail`, `smtp_ratelimit_rcpt`.
 * Source: Exim manual, `smtp_ratelimit_hosts`.
 */
import { parseInterval } from '../../base/interval.ts'
import type { ByteString } from '../../base/text.ts'
import { clientMatches } from './matching.ts'
import type { Session } from './session-state.ts'

export interface SlowDown {
  /** Commands without delay. */
  readonly free: number
  readonly firstSeconds: number
  readonly factor: number
  readonly mostSeconds: number
}

/** `2,0.5s,1.05,4m`; undefined when it is not of that form. */
export function parseSlowDown(text: ByteString): SlowDown | undefined {
  const parts = text.split(',').map((part) => part.trim())
  if (parts.length !== 4) return undefined
  const [free = '', first = '', factor = '', most = ''] = parts
  const firstSeconds = readSeconds(first)
  const mostSeconds = readSeconds(most)
  if (!/^\d+$/.test(free) || !/^\d+(?:\.\d+)?$/.test(factor)) return undefined
  if (firstSeconds === undefined || mostSeconds === undefined) return undefined
  return { free: Number(free), firstSeconds, factor: Number(factor), mostSeconds }
}

/** An interval whose seconds may have a fraction. */
function readSeconds(text: string): number | undefined {
  const match = /^((?:\d+[wdhm])*)(?:(\d+\.\d+)s)?$/.exec(text)
  if (match?.[2] === undefined) return parseInterval(text)
  const whole = match[1] === '' ? 0 : parseInterval(match[1] ?? '')
  return whole === undefined ? undefined : whole + Number(match[2])
}

/** How long the `count`th command waits, in seconds. */
export function delayFor(limit: SlowDown, count: number): number {
  const over = count - limit.free
  if (over <= 0) return 0
  return Math.min(limit.firstSeconds * limit.factor ** (over - 1), limit.mostSeconds)
}

/** Waits when the client is in `smtp_ratelimit_hosts` and has sent more than is free. */
export async function slowDown(
  session: Session,
  option: 'smtp_ratelimit_mail' | 'smtp_ratelimit_rcpt',
  count: number,
): Promise<void> {
  const { settings, context } = session
  const text = settings[option]
  if (text === undefined || text === '' || session.connection.hostChecking) return
  const limit = parseSlowDown(text)
  const seconds = limit === undefined ? 0 : delayFor(limit, count)
  if (seconds <= 0 || !(await clientMatches(settings.smtp_ratelimit_hosts, context))) return
  session.context.debug?.('receive', `delay ${option} ${seconds}s`)
  session.io.flush()
  await wait(seconds * 1000, session.services.shutdown)
}

function wait(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, milliseconds)
    if (signal.aborted) done()
    else signal.addEventListener('abort', done, { once: true })
  })
}
