import { formatInterval, parseInterval } from '../../../base/interval.ts'
import { textOf } from '../../../base/text.ts'
import { flushReplies } from '../flush.ts'
import { type ActingModifier, errorOf, type Modified } from '../row.ts'

/** A client that is made to wait longer than this has gone. */
const LONGEST_SECONDS = 24 * 3600

export const delay: ActingModifier = {
  kind: 'modifier',
  name: 'delay',
  doc: 'Waits before going on; -bh only says so.',
  since: '0.1',
  tier: 'A',
  argument: 'text',
  phases: { except: ['notquit'] },
  run({ context }, argument) {
    const text = textOf(argument)
    const seconds = parseInterval(text.trim())
    if (seconds === undefined) {
      return errorOf(`syntax error in argument for "delay" modifier: "${text}" is not a time value`)
    }
    context.debug?.('acl', `delay modifier requests ${seconds}-second delay`)
    if (context.connection?.hostChecking === true) {
      context.debug?.('acl', 'delay skipped in -bh checking mode')
      return undefined
    }
    if (seconds > LONGEST_SECONDS) {
      return errorOf(`delay of ${formatInterval(seconds)} is longer than ${formatInterval(LONGEST_SECONDS)}`)
    }
    flushReplies(context, 'noDelayFlush')
    return wait(seconds * 1000, context.signal)
  },
}

/** Ends early, and quietly, when the session ends. */
function wait(milliseconds: number, signal: AbortSignal | undefined): Promise<Modified> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve(undefined)
    }
    const timer = setTimeout(done, milliseconds)
    if (signal?.aborted === true) done()
    else signal?.addEventListener('abort', done, { once: true })
  })
}
