/** Options of the queuefile transport. */
import type { OptionTable, Settings } from '../../../language/config/options/table.ts'

export const queuefileOptions = {
  directory: {
    type: 'expand',
    default: undefined,
    tier: 'C',
    since: '0.1',
    doc: 'Folder into which the spool files of the message are copied.',
  },
} as const satisfies OptionTable

export type QueuefileSettings = Settings<typeof queuefileOptions>
