/** Options of the external authenticator. */
import type { OptionTable, Settings } from '../../language/config/options/table.ts'

export const externalOptions = {
  client_send: { type: 'expand', default: undefined, tier: 'B', doc: '' },
  server_param2: { type: 'expand', default: undefined, tier: 'B', secures: true, doc: '' },
  server_param3: { type: 'expand', default: undefined, tier: 'B', secures: true, doc: '' },
} as const satisfies OptionTable

export type ExternalSettings = Settings<typeof externalOptions>
