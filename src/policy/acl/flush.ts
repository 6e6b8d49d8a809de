/** Answers that wait for the client's next input are sent before an ACL makes it wait. Source: Exim manual, `no_delay_flush`. */
import type { Context } from '../../ports.ts'

/** Under which a session keeps the function that sends what waits. */
export const flushKey = 'flush replies'

export function flushReplies(
  { connection, message }: Context,
  unless: 'noCalloutFlush' | 'noDelayFlush',
): void {
  if (message?.controls[unless] === true) return
  const flush = connection?.extra.get(flushKey)
  if (typeof flush === 'function') flush()
}
