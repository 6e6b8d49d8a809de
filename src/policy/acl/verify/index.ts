/** All items of `verify =`, by name. */
import { recipient, sender } from './address.ts'
import { arc } from './arc.ts'
import { headerNamesAscii, headerSender, headerSyntax, notBlind } from './headers.ts'
import { certificate, helo, reverseHostLookup } from './helo.ts'
import type { VerifyRow } from './row.ts'

export const verifyItems: readonly VerifyRow[] = [
  arc,
  certificate,
  {
    name: 'csa',
    doc: 'The client is authorised to send mail by a CSA record.',
    tier: 'C',
    phases: 'all',
    takesAddress: false,
  },
  headerNamesAscii,
  headerSender,
  headerSyntax,
  helo,
  notBlind,
  recipient,
  reverseHostLookup,
  sender,
]
