/** All ACL modifiers, sorted. */
import type { ModifierRow } from '../row.ts'
import { addHeader } from './add_header.ts'
import { continueModifier } from './continue.ts'
import { control } from './control.ts'
import { endpass, logMessage, message } from './message.ts'
import { set } from './set.ts'

export const modifiers: readonly ModifierRow[] = [
  addHeader,
  continueModifier,
  control,
  endpass,
  logMessage,
  message,
  set,
]
