/** The log of a message that was taken and thrown away. */
import type { AclResult, Ports } from '../../ports.ts'
import { afterColon } from './acl.ts'

/** @param verdict of the ACL that threw the whole message away; undefined: its recipients were, one by one */
export function logDiscarded(
  log: Ports['log'],
  id: string,
  by: string,
  verdict: AclResult | undefined,
): void {
  log.main(id, `=> blackhole (${by} ACL discarded recipients)${afterColon(verdict?.logMessage)}`, {
    event: 'msg:discarded',
  })
  log.main(id, 'Completed', { event: 'msg:complete' })
}
