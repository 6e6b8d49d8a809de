/** Options of the iplookup router. */
import type { OptionTable, Settings } from '../../../language/config/options/table.ts'

export const iplookupOptions = {
  hosts: { type: 'string', default: undefined, tier: 'C', doc: '' },
  optional: { type: 'boolean', default: false, tier: 'C', doc: '' },
  port: { type: 'integer', default: 0, tier: 'C', doc: '' },
  protocol: { type: 'string', default: 'udp', tier: 'C', doc: '' },
  query: { type: 'expand', default: '$local_part@$domain $local_part@$domain', tier: 'C', doc: '' },
  reroute: { type: 'expand', default: undefined, tier: 'C', doc: '' },
  response_pattern: { type: 'string', default: undefined, tier: 'C', doc: '' },
  timeout: { type: 'time', default: 5, tier: 'C', doc: '' },
} as const satisfies OptionTable

export type IplookupSettings = Settings<typeof iplookupOptions>
