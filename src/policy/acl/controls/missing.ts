/** Controls that are known and do not work yet. */
import type { ControlRow } from '../row.ts'

export const missingControls: readonly ControlRow[] = [
  {
    name: 'dscp',
    doc: 'Marks the packets of the connection for quality of service.',
    tier: 'C',
    phases: { except: ['notsmtp', 'notsmtp_start', 'notquit'] },
    takesOptions: true,
  },
]
