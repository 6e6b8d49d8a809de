/** Options of the cram_md5 authenticator. */
import type { OptionTable, Settings } from '../../language/config/options/table.ts'

export const cramMd5Options = {
  client_name: {
    type: 'expand',
    default: '$primary_hostname',
    tier: 'A',
    since: '0.1',
    doc: 'User name we give as a client.',
  },
  client_secret: {
    type: 'expand',
    default: undefined,
    tier: 'A',
    since: '0.1',
    doc: 'Secret we answer the challenge with as a client.',
  },
  server_secret: {
    type: 'expand',
    default: undefined,
    tier: 'A',
    since: '0.1',
    secures: true,
    doc: 'Secret of the user in $auth1; forced failure means there is no such user.',
  },
} as const satisfies OptionTable

export type CramMd5Settings = Settings<typeof cramMd5Options>
