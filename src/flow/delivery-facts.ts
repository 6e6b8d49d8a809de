/** What `$router_name`, `$host` and their kin are taken from while an address is at a router or a transport. */
import type { DeliveryFacts } from '../ports.ts'

/** All there is to know is there, if only as nothing: copies with other values then cost little. */
export function deliveryFacts(routerName: string, transportName: string): DeliveryFacts {
  return {
    routerName,
    transportName,
    host: undefined,
    hostList: undefined,
    hostAddress: undefined,
    hostPort: undefined,
    sendingAddress: undefined,
    sendingPort: undefined,
    tls: undefined,
    returnPath: undefined,
    addresses: undefined,
    inode: undefined,
  }
}

/** The same at another router. */
export function atRouter(facts: DeliveryFacts | undefined, routerName: string): DeliveryFacts {
  return facts === undefined ? deliveryFacts(routerName, '') : { ...facts, routerName, transportName: '' }
}
