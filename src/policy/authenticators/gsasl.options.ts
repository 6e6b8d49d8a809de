/** Options of the gsasl authenticator. */
import type { OptionTable, Settings } from '../../language/config/options/table.ts'

export const gsaslOptions = {
  client_authz: { type: 'expand', default: undefined, tier: 'C', doc: '' },
  client_channelbinding: { type: 'boolean', default: false, tier: 'C', doc: '' },
  client_password: { type: 'expand', default: undefined, tier: 'C', doc: '' },
  client_spassword: { type: 'expand', default: undefined, tier: 'C', doc: '' },
  client_username: { type: 'expand', default: undefined, tier: 'C', doc: '' },
  server_channelbinding: { type: 'boolean', default: false, tier: 'C', secures: true, doc: '' },
  server_hostname: { type: 'expand', default: '$primary_hostname', tier: 'C', secures: true, doc: '' },
  server_key: { type: 'expand', default: undefined, tier: 'C', secures: true, doc: '' },
  server_mech: { type: 'string', default: undefined, tier: 'C', secures: true, doc: '' },
  server_password: { type: 'expand', default: undefined, tier: 'C', secures: true, doc: '' },
  server_realm: { type: 'expand', default: undefined, tier: 'C', secures: true, doc: '' },
  server_scram_iter: { type: 'expand', default: '4096', tier: 'C', secures: true, doc: '' },
  server_scram_salt: { type: 'expand', default: undefined, tier: 'C', secures: true, doc: '' },
  server_service: { type: 'string', default: 'smtp', tier: 'C', secures: true, doc: '' },
  server_skey: { type: 'expand', default: undefined, tier: 'C', secures: true, doc: '' },
} as const satisfies OptionTable

export type GsaslSettings = Settings<typeof gsaslOptions>
