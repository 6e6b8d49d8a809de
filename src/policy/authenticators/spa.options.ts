/** Options of the spa authenticator. */
import type { OptionTable, Settings } from '../../language/config/options/table.ts'

export const spaOptions = {
  client_domain: { type: 'expand', default: undefined, tier: 'C', doc: '' },
  client_password: { type: 'expand', default: undefined, tier: 'C', doc: '' },
  client_username: { type: 'expand', default: undefined, tier: 'C', doc: '' },
  server_password: { type: 'expand', default: undefined, tier: 'C', secures: true, doc: '' },
} as const satisfies OptionTable

export type SpaSettings = Settings<typeof spaOptions>
