/** Options of the external authenticator. */
import type { OptionTable, Settings } from '../../language/config/options/table.ts'

export const externalOptions = {
  client_send: {
    type: 'expand',
    default: undefined,
    tier: 'B',
    since: '0.1',
    doc: 'Identity we claim as a client.',
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

export type ExternalSettings = Settings<typeof externalOptions>
