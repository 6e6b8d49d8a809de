/** Options of the dnslookup router. */
import type { OptionTable, Settings } from '../../../language/config/options/table.ts'

export const dnslookupOptions = {
  check_secondary_mx: { type: 'boolean', default: false, tier: 'A', doc: '' },
  check_srv: { type: 'expand', default: undefined, tier: 'B', doc: '' },
  fail_defer_domains: { type: 'domainList', default: undefined, tier: 'B', doc: '' },
  ipv4_only: { type: 'expand', default: undefined, tier: 'B', doc: '' },
  ipv4_prefer: { type: 'expand', default: undefined, tier: 'B', doc: '' },
  mx_domains: { type: 'domainList', default: undefined, tier: 'A', doc: '' },
  mx_fail_domains: { type: 'domainList', default: undefined, tier: 'B', doc: '' },
  qualify_single: { type: 'boolean', default: true, tier: 'A', doc: '' },
  rewrite_headers: { type: 'boolean', default: true, tier: 'B', doc: '' },
  same_domain_copy_routing: { type: 'boolean', default: false, tier: 'A', doc: '' },
  search_parents: { type: 'boolean', default: false, tier: 'B', doc: '' },
  srv_fail_domains: { type: 'domainList', default: undefined, tier: 'B', doc: '' },
  widen_domains: { type: 'stringList', default: undefined, tier: 'B', doc: '' },
} as const satisfies OptionTable

export type DnslookupSettings = Settings<typeof dnslookupOptions>
