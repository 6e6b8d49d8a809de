/** Options of the heimdal_gssapi authenticator. */
import type { OptionTable, Settings } from '../../language/config/options/table.ts'

export const heimdalGssapiOptions = {
  server_hostname: {
    type: 'expand',
    default: '$primary_hostname',
    tier: 'C',
    secures: true,
    doc: 'Name of this host in the Kerberos principal.',
  },
  server_keytab: {
    type: 'expand',
    default: undefined,
    tier: 'C',
    secures: true,
    doc: 'File of the Kerberos keys.',
  },
  server_service: {
    type: 'expand',
    default: 'smtp',
    tier: 'C',
    secures: true,
    doc: 'Service in the Kerberos principal.',
  },
} as const satisfies OptionTable

export type HeimdalGssapiSettings = Settings<typeof heimdalGssapiOptions>
