/** Answers that wait for the client's next input are sent before an ACL makes it wait. Source: Exim manual, `no_delay_flush`. */
import type { Context } from '../../ports.ts'

export function flushReplies(
  { connection, message }: Context,
  unless: 'noCalloutFlush' | 'noDelayFlush',
): void {
  if (message?.controls[unless] === true) return
  connection?.dialogue?.flush()
}
