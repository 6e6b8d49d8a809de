/** Controls that are known and do not work yet. */
import type { ControlRow } from '../row.ts'

export const missingControls: readonly ControlRow[] = [
  {
    name: 'debug',
    doc: 'Writes debugging output of this session to a file of its own.',
    tier: 'A',
    phases: 'all',
    takesOptions: true,
  },
  {
    name: 'dscp',
    doc: 'Marks the packets of the connection for quality of service.',
    tier: 'C',
    phases: { except: ['notsmtp', 'notsmtp_start', 'notquit'] },
    takesOptions: true,
  },
  {
    name: 'utf8_downconvert',
    doc: 'Addresses in UTF-8 are turned into their ASCII form for the next host.',
    tier: 'B',
    phases: { only: ['rcpt', 'vrfy'] },
    takesOptions: true,
  },
  {
    name: 'wellknown',
    doc: 'Answers a WELLKNOWN command with the contents of a file.',
    tier: 'C',
    phases: { only: ['wellknown'] },
    takesOptions: true,
  },
]
