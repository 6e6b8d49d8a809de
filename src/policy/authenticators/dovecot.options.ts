/** Options of the dovecot authenticator. */
import type { OptionTable, Settings } from '../../language/config/options/table.ts'

export const dovecotOptions = {
  server_socket: {
    type: 'string',
    default: undefined,
    tier: 'A',
    since: '0.1',
    secures: true,
    doc: "Socket of Dovecot's authentication service: a path, or an address and a port.",
  },
  server_tls: {
    type: 'boolean',
    default: undefined,
    tier: 'A',
    since: '0.1',
    secures: true,
    doc: 'Whether the connection to an address and a port uses TLS.',
  },
} as const satisfies OptionTable

export type DovecotSettings = Settings<typeof dovecotOptions>
