/** Options of the manualroute router. */
import type { OptionTable, Settings } from '../../../language/config/options/table.ts'

export const manualrouteOptions = {
  host_all_ignored: {
    type: 'string',
    default: 'defer',
    tier: 'A',
    since: '0.1',
    doc: 'What happens when every host of the list has been ignored.',
  },
  host_find_failed: {
    type: 'string',
    default: 'freeze',
    tier: 'A',
    since: '0.1',
    doc: 'What happens when a host of the list does not exist.',
  },
  hosts_randomize: {
    type: 'expandBoolean',
    default: 'false',
    tier: 'A',
    since: '0.1',
    doc: 'Shuffles the hosts of each list; a + keeps groups apart.',
  },
  route_data: {
    type: 'expand',
    default: undefined,
    tier: 'A',
    since: '0.1',
    doc: 'Hosts and options for the domain, mostly from a lookup.',
  },
  route_list: {
    type: 'string',
    default: undefined,
    tier: 'A',
    since: '0.1',
    doc: 'Rules separated by semicolons, each a domain pattern, hosts and options.',
  },
  same_domain_copy_routing: {
    type: 'boolean',
    default: false,
    tier: 'A',
    since: '0.1',
    doc: 'Gives all addresses of one domain in a message the same hosts.',
  },
} as const satisfies OptionTable

export type ManualrouteSettings = Settings<typeof manualrouteOptions>
