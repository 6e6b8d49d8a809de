/** All items of `verify =`, by name. */
import { recipient, sender } from './address.ts'
import { arc } from './arc.ts'
import { csa } from './csa.ts'
import { headerNamesAscii, headerSender, headerSyntax, notBlind } from './headers.ts'
import { certificate, helo, reverseHostLookup } from './helo.ts'
import type { VerifyRow } from './row.ts'

export const verifyItems: readonly VerifyRow[] = [
  arc,
  certificate,
  csa,
  headerNamesAscii,
  headerSender,
  headerSyntax,
  helo,
  notBlind,
  recipient,
  reverseHostLookup,
  sender,
]
