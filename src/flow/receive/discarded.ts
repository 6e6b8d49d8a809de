/** The log of a message that was taken and thrown away. */
import type { AclResult, Ports } from '../../ports.ts'
import { oneLine } from './acl.ts'

/** @param verdict of the ACL that threw the whole message away; undefined: its recipients were, one by one */
export function logDiscarded(
  log: Ports['log'],
  id: string,
  by: string,
  verdict: AclResult | undefined,
): void {
  const why = verdict?.logMessage === undefined ? '' : `: ${oneLine(verdict.logMessage)}`
  log.main(id, `=> blackhole (${by} ACL discarded recipients)${why}`, { event: 'msg:discarded' })
  log.main(id, 'Completed', { event: 'msg:complete' })
}
