/** Options of the lmtp transport. */
import type { OptionTable, Settings } from '../../../language/config/options/table.ts'

export const lmtpOptions = {
  batch_id: { type: 'expand', default: undefined, tier: 'C', doc: '' },
  batch_max: { type: 'integer', default: 1, tier: 'A', doc: '' },
  command: { type: 'expand', default: undefined, tier: 'A', doc: '' },
  ignore_quota: { type: 'boolean', default: false, tier: 'C', doc: '' },
  socket: { type: 'expand', default: undefined, tier: 'A', doc: '' },
  timeout: { type: 'time', default: 300, tier: 'A', doc: '' },
} as const satisfies OptionTable

export type LmtpSettings = Settings<typeof lmtpOptions>
