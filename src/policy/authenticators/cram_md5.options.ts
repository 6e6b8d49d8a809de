/** Options of the cram_md5 authenticator. */
import type { OptionTable, Settings } from '../../language/config/options/table.ts'

export const cramMd5Options = {
  client_name: {
    type: 'expand',
    default: '$primary_hostname',
    tier: 'A',
    doc: 'User name we give as a client.',
  },
  client_secret: {
    type: 'expand',
    default: undefined,
    tier: 'A',
    doc: 'Secret we answer the challenge with as a client.',
  },
  server_secret: {
    type: 'expand',
    default: undefined,
    tier: 'A',
    secures: true,
    doc: 'Secret of the user in $auth1; forced failure means there is no such user.',
  },
} as const satisfies OptionTable

export type CramMd5Settings = Settings<typeof cramMd5Options>
