/** Options of the dnslookup router. */
import type { OptionTable, Settings } from '../../../language/config/options/table.ts'

export const dnslookupOptions = {
  check_secondary_mx: {
    type: 'boolean',
    default: false,
    tier: 'A',
    since: '0.1',
    doc: 'Declines unless this host stands among the MX hosts of the domain.',
  },
  check_srv: {
    type: 'expand',
    default: undefined,
    tier: 'B',
    since: '0.1',
    doc: 'Service whose SRV records are asked for before MX records.',
  },
  fail_defer_domains: {
    type: 'domainList',
    default: undefined,
    tier: 'B',
    since: '0.1',
    doc: 'Domains that wait, instead of being declined, when nothing is found for them.',
  },
  ipv4_only: {
    type: 'expand',
    default: undefined,
    tier: 'B',
    since: '0.1',
    doc: 'When true, only A records are looked up.',
  },
  ipv4_prefer: {
    type: 'expand',
    default: undefined,
    tier: 'B',
    since: '0.1',
    doc: 'When true, IPv4 addresses are tried before IPv6 ones.',
  },
  mx_domains: {
    type: 'domainList',
    default: undefined,
    tier: 'A',
    since: '0.1',
    doc: 'Domains that must have an MX or SRV record; their address records do not count.',
  },
  mx_fail_domains: {
    type: 'domainList',
    default: undefined,
    tier: 'B',
    since: '0.1',
    doc: 'Domains for which a failing MX lookup counts as having no MX record.',
  },
  qualify_single: {
    type: 'boolean',
    default: true,
    tier: 'A',
    since: '0.1',
    doc: 'Completes a domain of one label with the search domain of this machine.',
  },
  rewrite_headers: {
    type: 'boolean',
    default: true,
    tier: 'B',
    since: '0.1',
    doc: 'Writes a completed domain into the headers of the message too.',
  },
  same_domain_copy_routing: {
    type: 'boolean',
    default: false,
    tier: 'A',
    since: '0.1',
    doc: 'Gives all addresses of one domain in a message the same hosts.',
  },
  search_parents: {
    type: 'boolean',
    default: false,
    tier: 'B',
    since: '0.1',
    doc: 'Tries the search domains of this machine for domains that are not found.',
  },
  srv_fail_domains: {
    type: 'domainList',
    default: undefined,
    tier: 'B',
    since: '0.1',
    doc: 'Domains for which a failing SRV lookup counts as having no SRV record.',
  },
  widen_domains: {
    type: 'stringList',
    default: undefined,
    tier: 'B',
    since: '0.1',
    doc: 'Endings to try in turn for a domain that is not found.',
  },
} as const satisfies OptionTable

export type DnslookupSettings = Settings<typeof dnslookupOptions>
