/** All transports, by name. */
import type { TransportDriver } from './driver.ts'
import { appendfile } from './appendfile.ts'
import { smtp } from './smtp.ts'

export const transportDrivers: Readonly<Record<string, TransportDriver>> = {
  appendfile,
  smtp,
}
