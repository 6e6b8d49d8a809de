/** Options of the plaintext authenticator. */
import type { OptionTable, Settings } from '../../language/config/options/table.ts'

export const plaintextOptions = {
  client_ignore_invalid_base64: {
    type: 'boolean',
    default: false,
    tier: 'A',
    since: '0.1',
    doc: "Whether a server's prompt that is no base64 is taken for an empty one.",
  },
  client_send: {
    type: 'expand',
    default: undefined,
    tier: 'A',
    since: '0.1',
    doc: 'Strings that we send as a client, in order, ^ standing for NUL.',
  },
  server_prompts: {
    type: 'expandList',
    default: undefined,
    tier: 'A',
    since: '0.1',
    secures: true,
    doc: 'Prompts sent to the client, in order; none for PLAIN.',
  },
} as const satisfies OptionTable

export type PlaintextSettings = Settings<typeof plaintextOptions>
