/** `-os`: how long an SMTP client may be silent. Source: Exim manual, "-os". */
import { parseInterval } from '../../base/interval.ts'
import { type Invocation, valueOf } from './parse.ts'

/** Milliseconds; 0: no limit; undefined without the flag. */
export function commandTimeoutMs(invocation: Invocation): number | undefined {
  const seconds = parseInterval(valueOf(invocation, '-os') ?? '')
  return seconds === undefined ? undefined : seconds * 1000
}
