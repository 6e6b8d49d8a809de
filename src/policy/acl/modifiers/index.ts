/** All ACL modifiers, sorted. */
import type { ModifierRow } from '../row.ts'
import { addHeader } from './add_header.ts'
import { continueModifier } from './continue.ts'
import { control } from './control.ts'
import { delay } from './delay.ts'
import { logRejectTarget } from './log_reject_target.ts'
import { logwrite } from './logwrite.ts'
import { endpass, logMessage, message } from './message.ts'
import { queue } from './queue.ts'
import { removeHeader } from './remove_header.ts'
import { set } from './set.ts'
import { udpsend } from './udpsend.ts'

export const modifiers: readonly ModifierRow[] = [
  addHeader,
  continueModifier,
  control,
  delay,
  endpass,
  logMessage,
  logRejectTarget,
  logwrite,
  message,
  queue,
  removeHeader,
  set,
  udpsend,
]
