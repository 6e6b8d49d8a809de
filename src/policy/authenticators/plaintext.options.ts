/** Options of the plaintext authenticator. */
import type { OptionTable, Settings } from '../../language/config/options/table.ts'

export const plaintextOptions = {
  client_ignore_invalid_base64: { type: 'boolean', default: false, tier: 'A', doc: '' },
  client_send: { type: 'expand', default: undefined, tier: 'A', doc: '' },
  server_prompts: { type: 'expandList', default: undefined, tier: 'A', secures: true, doc: '' },
} as const satisfies OptionTable

export type PlaintextSettings = Settings<typeof plaintextOptions>
