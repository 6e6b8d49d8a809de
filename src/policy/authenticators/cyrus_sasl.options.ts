/** Options of the cyrus_sasl authenticator. */
import type { OptionTable, Settings } from '../../language/config/options/table.ts'

export const cyrusSaslOptions = {
  server_hostname: { type: 'expand', default: '$primary_hostname', tier: 'C', secures: true, doc: '' },
  server_mech: { type: 'string', default: undefined, tier: 'C', secures: true, doc: '' },
  server_realm: { type: 'expand', default: undefined, tier: 'C', secures: true, doc: '' },
  server_service: { type: 'string', default: 'smtp', tier: 'C', secures: true, doc: '' },
} as const satisfies OptionTable

export type CyrusSaslSettings = Settings<typeof cyrusSaslOptions>
