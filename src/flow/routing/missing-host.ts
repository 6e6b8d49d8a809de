/** A host of a list that has no address. Source: Exim manual, log selector "host_lookup_failed"; observed of Exim 4.96. */
import { duringSession } from '../../wire/dns/host-names.ts'
import type { RouterWork } from './types.ts'

/** A lookup that did not complete. */
export const lookupTimeout = -36

/** As retry rules for `lookup` see it. */
export const unknownHost = -32

export function logMissingHost(name: string, { context, purpose }: RouterWork): void {
  const { log } = context.ports
  if (purpose === 'test' || !log.selects('host_lookup_failed')) return
  log.main(
    context.message?.id || undefined,
    `no IP address found for host ${name}${purpose === 'deliver' ? '' : duringSession(context.connection)}`,
  )
}
