/** Options that every authenticator has. Source: Exim manual, "SMTP authentication". */
import type { OptionTable, Settings } from './table.ts'

export const authenticatorOptions = {
  client_condition: { type: 'expand', default: undefined, tier: 'A', doc: '' },
  client_set_id: { type: 'expand', default: undefined, tier: 'A', doc: '' },
  driver: { type: 'string', default: undefined, tier: 'A', doc: '' },
  public_name: { type: 'string', default: undefined, tier: 'A', doc: '' },
  server_advertise_condition: { type: 'expand', default: undefined, tier: 'A', secures: true, doc: '' },
  server_condition: { type: 'expand', default: undefined, tier: 'A', secures: true, doc: '' },
  server_debug_print: { type: 'expand', default: undefined, tier: 'A', secures: true, doc: '' },
  server_mail_auth_condition: { type: 'expand', default: undefined, tier: 'A', secures: true, doc: '' },
  server_set_id: { type: 'expand', default: undefined, tier: 'A', secures: true, doc: '' },
} as const satisfies OptionTable

export type AuthenticatorSettings = Settings<typeof authenticatorOptions>
