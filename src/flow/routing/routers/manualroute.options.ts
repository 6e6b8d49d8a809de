/** Options of the manualroute router. */
import type { OptionTable, Settings } from '../../../language/config/options/table.ts'

export const manualrouteOptions = {
  host_all_ignored: { type: 'string', default: 'defer', tier: 'A', doc: '' },
  host_find_failed: { type: 'string', default: 'freeze', tier: 'A', doc: '' },
  hosts_randomize: { type: 'expandBoolean', default: 'false', tier: 'A', doc: '' },
  route_data: { type: 'expand', default: undefined, tier: 'A', doc: '' },
  route_list: { type: 'stringList', default: undefined, tier: 'A', doc: '' },
  same_domain_copy_routing: { type: 'boolean', default: false, tier: 'A', doc: '' },
} as const satisfies OptionTable

export type ManualrouteSettings = Settings<typeof manualrouteOptions>
