/** Options that every authenticator has. Source: Exim manual, "SMTP authentication". */
import type { OptionTable, Settings } from './table.ts'

export const authenticatorOptions = {
  client_condition: {
    type: 'expand',
    default: undefined,
    tier: 'A',
    since: '0.1',
    doc: 'Whether we, as a client, use this mechanism.',
  },
  client_set_id: {
    type: 'expand',
    default: undefined,
    tier: 'A',
    since: '0.1',
    doc: 'What $authenticated_id is while we send after using this mechanism.',
  },
  driver: {
    type: 'string',
    default: undefined,
    tier: 'A',
    since: '0.1',
    doc: 'Which kind of authenticator this is.',
  },
  public_name: {
    type: 'string',
    default: undefined,
    tier: 'A',
    since: '0.1',
    doc: 'Name of the mechanism in the AUTH line of EHLO; else that of the instance.',
  },
  server_advertise_condition: {
    type: 'expand',
    default: undefined,
    tier: 'A',
    since: '0.1',
    secures: true,
    doc: 'Whether the mechanism is offered to this client.',
  },
  server_condition: {
    type: 'expand',
    default: undefined,
    tier: 'A',
    since: '0.1',
    secures: true,
    doc: "Whether the client's credentials are good: true, false, or a temporary failure.",
  },
  server_debug_print: {
    type: 'expand',
    default: undefined,
    tier: 'A',
    since: '0.1',
    secures: true,
    doc: 'Text for the debugging output when a client uses the mechanism.',
  },
  server_mail_auth_condition: {
    type: 'expand',
    default: undefined,
    tier: 'A',
    since: '0.1',
    secures: true,
    doc: 'Whether the AUTH parameter of MAIL is believed after this mechanism.',
  },
  server_set_id: {
    type: 'expand',
    default: undefined,
    tier: 'A',
    since: '0.1',
    secures: true,
    doc: 'What is remembered of the client as $authenticated_id.',
  },
} as const satisfies OptionTable

export type AuthenticatorSettings = Settings<typeof authenticatorOptions>
