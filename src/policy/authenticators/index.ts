/** The authenticators there are. */
import { cramMd5 } from './cram_md5.ts'
import { dovecot } from './dovecot.ts'
import type { AuthenticatorDriver } from './driver.ts'
import { external } from './external.ts'
import { gsasl } from './gsasl.ts'
import { plaintext } from './plaintext.ts'
import { tls } from './tls.ts'

export const authenticatorDrivers: Readonly<Record<string, AuthenticatorDriver>> = {
  cram_md5: cramMd5,
  dovecot,
  external,
  gsasl,
  plaintext,
  tls,
}

export type {
  AuthenticatorDriver,
  ClientDialogue,
  ClientVerdict,
  ServerReply,
  ServerVerdict,
} from './driver.ts'
