/** Options of the cram_md5 authenticator. */
import type { OptionTable, Settings } from '../../language/config/options/table.ts'

export const cramMd5Options = {
  client_name: { type: 'expand', default: '$primary_hostname', tier: 'A', doc: '' },
  client_secret: { type: 'expand', default: undefined, tier: 'A', doc: '' },
  server_secret: { type: 'expand', default: undefined, tier: 'A', secures: true, doc: '' },
} as const satisfies OptionTable

export type CramMd5Settings = Settings<typeof cramMd5Options>
