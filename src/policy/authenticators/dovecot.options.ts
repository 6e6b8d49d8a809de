/** Options of the dovecot authenticator. */
import type { OptionTable, Settings } from '../../language/config/options/table.ts'

export const dovecotOptions = {
  server_socket: { type: 'string', default: undefined, tier: 'A', secures: true, doc: '' },
  server_tls: { type: 'boolean', default: undefined, tier: 'A', secures: true, doc: '' },
} as const satisfies OptionTable

export type DovecotSettings = Settings<typeof dovecotOptions>
