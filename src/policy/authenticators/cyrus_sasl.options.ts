/** Options of the cyrus_sasl authenticator. */
import type { OptionTable, Settings } from '../../language/config/options/table.ts'

export const cyrusSaslOptions = {
  server_hostname: {
    type: 'expand',
    default: '$primary_hostname',
    tier: 'C',
    secures: true,
    doc: 'Name of this host as Cyrus SASL is told.',
  },
  server_mech: {
    type: 'string',
    default: undefined,
    tier: 'C',
    secures: true,
    doc: 'Mechanism of Cyrus SASL that is used.',
  },
  server_realm: {
    type: 'expand',
    default: undefined,
    tier: 'C',
    secures: true,
    doc: 'Realm as Cyrus SASL is told.',
  },
  server_service: {
    type: 'string',
    default: 'smtp',
    tier: 'C',
    secures: true,
    doc: 'Service name as Cyrus SASL is told.',
  },
} as const satisfies OptionTable

export type CyrusSaslSettings = Settings<typeof cyrusSaslOptions>
