/** Options of the lmtp transport. */
import type { OptionTable, Settings } from '../../../language/config/options/table.ts'

export const lmtpOptions = {
  batch_id: {
    type: 'expand',
    default: undefined,
    tier: 'C',
    doc: 'Expanded for each address; those with the same result may share a delivery.',
  },
  batch_max: { type: 'integer', default: 1, tier: 'A', doc: 'Most addresses delivered together.' },
  command: { type: 'expand', default: undefined, tier: 'A', doc: 'Command to speak LMTP with.' },
  ignore_quota: {
    type: 'boolean',
    default: false,
    tier: 'C',
    doc: 'Whether the other side is asked to overlook quotas.',
  },
  socket: { type: 'expand', default: undefined, tier: 'A', doc: 'Unix socket on which LMTP is spoken.' },
  timeout: { type: 'time', default: 300, tier: 'A', doc: 'Longest wait for an answer.' },
} as const satisfies OptionTable

export type LmtpSettings = Settings<typeof lmtpOptions>
