/** Options of the queryprogram router. */
import type { OptionTable, Settings } from '../../../language/config/options/table.ts'

export const queryprogramOptions = {
  command: { type: 'expand', default: undefined, tier: 'C', doc: '' },
  command_group: { type: 'string', default: undefined, tier: 'C', doc: '' },
  command_user: { type: 'string', default: undefined, tier: 'C', doc: '' },
  current_directory: { type: 'string', default: '/', tier: 'C', doc: '' },
  timeout: { type: 'time', default: 3600, tier: 'C', doc: '' },
} as const satisfies OptionTable

export type QueryprogramSettings = Settings<typeof queryprogramOptions>
