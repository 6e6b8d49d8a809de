/** Options of the tls authenticator. */
import type { OptionTable, Settings } from '../../language/config/options/table.ts'

export const tlsOptions = {
  server_param1: {
    type: 'expand',
    default: undefined,
    tier: 'B',
    since: '0.1',
    aliases: { server_param: undefined },
    secures: true,
    doc: 'Made into $auth1 before server_condition is asked.',
  },
  server_param2: {
    type: 'expand',
    default: undefined,
    tier: 'B',
    since: '0.1',
    secures: true,
    doc: 'Made into $auth2 before server_condition is asked.',
  },
  server_param3: {
    type: 'expand',
    default: undefined,
    tier: 'B',
    since: '0.1',
    secures: true,
    doc: 'Made into $auth3 before server_condition is asked.',
  },
} as const satisfies OptionTable

export type TlsSettings = Settings<typeof tlsOptions>
