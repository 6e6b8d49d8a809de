/** The commands a session knows, in the order they are tried. */
import { auth } from './auth.ts'
import { bdat, data } from './data.ts'
import { etrn } from './etrn.ts'
import { ehlo, helo } from './helo.ts'
import { mail } from './mail.ts'
import { quit } from './quit.ts'
import { rcpt } from './rcpt.ts'
import { help, noop, rset, starttls } from './small.ts'
import { expn, vrfy } from './verify.ts'
import { wellknown } from './wellknown.ts'
import { xclient } from './xclient.ts'
import type { Command } from './command.ts'

export const commands: readonly Command[] = [
  mail,
  rcpt,
  data,
  bdat,
  ehlo,
  helo,
  quit,
  rset,
  noop,
  starttls,
  auth,
  vrfy,
  expn,
  help,
  etrn,
  wellknown,
  xclient,
]
