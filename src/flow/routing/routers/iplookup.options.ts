/** Options of the iplookup router. */
import type { OptionTable, Settings } from '../../../language/config/options/table.ts'

export const iplookupOptions = {
  hosts: { type: 'string', default: undefined, tier: 'C', doc: 'Hosts that are asked.' },
  optional: {
    type: 'boolean',
    default: false,
    tier: 'C',
    doc: 'Whether the address goes on to the next router when no host answers.',
  },
  port: { type: 'integer', default: 0, tier: 'C', doc: 'Port on which the hosts are asked.' },
  protocol: { type: 'string', default: 'udp', tier: 'C', doc: 'Whether the hosts are asked by UDP or TCP.' },
  query: {
    type: 'expand',
    default: '$local_part@$domain $local_part@$domain',
    tier: 'C',
    doc: 'What is sent to the hosts.',
  },
  reroute: { type: 'expand', default: undefined, tier: 'C', doc: 'New address made of the answer.' },
  response_pattern: {
    type: 'string',
    default: undefined,
    tier: 'C',
    doc: 'Pattern that an answer must match.',
  },
  timeout: { type: 'time', default: 5, tier: 'C', doc: 'Longest wait for an answer.' },
} as const satisfies OptionTable

export type IplookupSettings = Settings<typeof iplookupOptions>
