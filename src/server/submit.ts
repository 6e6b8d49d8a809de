/** Messages that the program itself writes (bounces, warnings), in the name of the run-time user. */
import type { GeneratedMessage, Submitted } from '../flow/delivery/index.ts'
import { submitOwn } from '../flow/receive/own-message.ts'
import type { ReceiveServices } from '../flow/receive/services.ts'
import type { Server } from './server.ts'

export function submitGenerated(
  generated: GeneratedMessage,
  { user }: Server,
  services: ReceiveServices,
): Promise<Submitted> {
  return submitOwn(generated, { login: user.name, uid: user.uid, gid: user.gid }, services)
}
