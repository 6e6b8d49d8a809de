/** Options of the queryprogram router. */
import type { OptionTable, Settings } from '../../../language/config/options/table.ts'

export const queryprogramOptions = {
  command: {
    type: 'expand',
    default: undefined,
    tier: 'C',
    since: '0.1',
    doc: 'Command whose first line of output says what becomes of the address.',
  },
  command_group: {
    type: 'group',
    default: undefined,
    tier: 'C',
    since: '0.1',
    doc: 'Group as which the command runs.',
  },
  command_user: {
    type: 'user',
    default: undefined,
    tier: 'C',
    since: '0.1',
    doc: 'User as whom the command runs.',
  },
  current_directory: {
    type: 'string',
    default: '/',
    tier: 'C',
    since: '0.1',
    doc: 'Working directory of the command.',
  },
  timeout: {
    type: 'time',
    default: 3600,
    tier: 'C',
    since: '0.1',
    doc: 'Longest time the command may take.',
  },
} as const satisfies OptionTable

export type QueryprogramSettings = Settings<typeof queryprogramOptions>
