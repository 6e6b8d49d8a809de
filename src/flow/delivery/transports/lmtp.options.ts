/** Options of the lmtp transport. */
import type { OptionTable, Settings } from '../../../language/config/options/table.ts'

export const lmtpOptions = {
  batch_id: {
    type: 'expand',
    default: undefined,
    tier: 'C',
    since: '0.1',
    doc: 'Expanded for each address; those with the same result may share a delivery.',
  },
  batch_max: {
    type: 'integer',
    default: 1,
    tier: 'A',
    since: '0.1',
    doc: 'Most addresses delivered together.',
  },
  command: {
    type: 'expand',
    default: undefined,
    tier: 'A',
    since: '0.1',
    doc: 'Command to speak LMTP with.',
  },
  ignore_quota: {
    type: 'boolean',
    default: false,
    tier: 'C',
    since: '0.1',
    doc: 'Whether the other side is asked to overlook quotas.',
  },
  socket: {
    type: 'expand',
    default: undefined,
    tier: 'A',
    since: '0.1',
    doc: 'Unix socket on which LMTP is spoken.',
  },
  timeout: { type: 'time', default: 300, tier: 'A', since: '0.1', doc: 'Longest wait for an answer.' },
} as const satisfies OptionTable

export type LmtpSettings = Settings<typeof lmtpOptions>
