/** Options of the gsasl authenticator. */
import type { OptionTable, Settings } from '../../language/config/options/table.ts'

export const gsaslOptions = {
  client_authz: { type: 'expand', default: undefined, tier: 'C', doc: 'Identity we act for as a client.' },
  client_channelbinding: {
    type: 'boolean',
    default: false,
    tier: 'C',
    doc: 'Whether we bind the exchange to the TLS channel as a client.',
  },
  client_password: { type: 'expand', default: undefined, tier: 'C', doc: 'Password we use as a client.' },
  client_spassword: {
    type: 'expand',
    default: undefined,
    tier: 'C',
    doc: 'Salted password we use as a client with SCRAM.',
  },
  client_username: { type: 'expand', default: undefined, tier: 'C', doc: 'User name we give as a client.' },
  server_channelbinding: {
    type: 'boolean',
    default: false,
    tier: 'C',
    secures: true,
    doc: 'Whether mechanisms that bind to the TLS channel are offered.',
  },
  server_hostname: {
    type: 'expand',
    default: '$primary_hostname',
    tier: 'C',
    secures: true,
    doc: 'Name of this host as the mechanism sees it.',
  },
  server_key: {
    type: 'expand',
    default: undefined,
    tier: 'C',
    secures: true,
    doc: 'Stored server key of the user, for SCRAM.',
  },
  server_mech: {
    type: 'string',
    default: undefined,
    tier: 'C',
    secures: true,
    doc: 'Mechanism that is used.',
  },
  server_password: {
    type: 'expand',
    default: undefined,
    tier: 'C',
    secures: true,
    doc: 'Password of the user.',
  },
  server_realm: {
    type: 'expand',
    default: undefined,
    tier: 'C',
    secures: true,
    doc: 'Realm as the mechanism sees it.',
  },
  server_scram_iter: {
    type: 'expand',
    default: '4096',
    tier: 'C',
    secures: true,
    doc: 'Number of iterations told to SCRAM clients.',
  },
  server_scram_salt: {
    type: 'expand',
    default: undefined,
    tier: 'C',
    secures: true,
    doc: 'Salt told to SCRAM clients.',
  },
  server_service: {
    type: 'string',
    default: 'smtp',
    tier: 'C',
    secures: true,
    doc: 'Service name as the mechanism sees it.',
  },
  server_skey: {
    type: 'expand',
    default: undefined,
    tier: 'C',
    secures: true,
    doc: 'Stored client key of the user, for SCRAM.',
  },
} as const satisfies OptionTable

export type GsaslSettings = Settings<typeof gsaslOptions>
