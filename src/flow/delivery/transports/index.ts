/** All transports, by name. */
import { appendfile } from './appendfile.ts'
import { autoreply } from './autoreply.ts'
import type { TransportDriver } from './driver.ts'
import { lmtp } from './lmtp.ts'
import { pipe } from './pipe.ts'
import { queuefile } from './queuefile.ts'
import { smtp } from './smtp.ts'

export const transportDrivers: Readonly<Record<string, TransportDriver>> = {
  appendfile,
  autoreply,
  lmtp,
  pipe,
  queuefile,
  smtp,
}
