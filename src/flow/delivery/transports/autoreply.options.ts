/** Options of the autoreply transport. */
import type { OptionTable, Settings } from '../../../language/config/options/table.ts'

export const autoreplyOptions = {
  bcc: { type: 'expand', default: undefined, tier: 'C', doc: '' },
  cc: { type: 'expand', default: undefined, tier: 'A', doc: '' },
  file: { type: 'expand', default: undefined, tier: 'A', doc: '' },
  file_expand: { type: 'boolean', default: false, tier: 'A', doc: '' },
  file_optional: { type: 'boolean', default: false, tier: 'A', doc: '' },
  from: { type: 'expand', default: undefined, tier: 'A', doc: '' },
  headers: { type: 'expand', default: undefined, tier: 'A', doc: '' },
  log: { type: 'expand', default: undefined, tier: 'A', doc: '' },
  mode: { type: 'octal', default: 0o600, tier: 'A', doc: '' },
  never_mail: { type: 'addressList', default: undefined, tier: 'A', doc: '' },
  once: { type: 'expand', default: undefined, tier: 'A', doc: '' },
  once_file_size: { type: 'integer', default: 0, tier: 'C', doc: '' },
  once_repeat: { type: 'expandTime', default: '0s', tier: 'A', doc: '' },
  reply_to: { type: 'expand', default: undefined, tier: 'A', doc: '' },
  return_message: { type: 'boolean', default: false, tier: 'A', doc: '' },
  subject: { type: 'expand', default: undefined, tier: 'A', doc: '' },
  text: { type: 'expand', default: undefined, tier: 'A', doc: '' },
  to: { type: 'expand', default: undefined, tier: 'A', doc: '' },
} as const satisfies OptionTable

export type AutoreplySettings = Settings<typeof autoreplyOptions>
