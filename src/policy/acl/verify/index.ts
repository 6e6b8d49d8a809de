/** All items of `verify =`, by name. */
import { recipient, sender } from './address.ts'
import type { VerifyRow } from './row.ts'

export const verifyItems: readonly VerifyRow[] = [recipient, sender]
