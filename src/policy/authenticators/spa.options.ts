/** Options of the spa authenticator. */
import type { OptionTable, Settings } from '../../language/config/options/table.ts'

export const spaOptions = {
  client_domain: { type: 'expand', default: undefined, tier: 'C', doc: 'Domain we give as a client.' },
  client_password: { type: 'expand', default: undefined, tier: 'C', doc: 'Password we use as a client.' },
  client_username: { type: 'expand', default: undefined, tier: 'C', doc: 'User name we give as a client.' },
  server_password: {
    type: 'expand',
    default: undefined,
    tier: 'C',
    secures: true,
    doc: 'Password of the user in $auth1.',
  },
} as const satisfies OptionTable

export type SpaSettings = Settings<typeof spaOptions>
