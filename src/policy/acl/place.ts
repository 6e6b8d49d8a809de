/** Where an ACL runs, and where a condition, modifier or control may be used. */
import type { AclPlace } from '../../ports.ts'

export type Phases = 'all' | { readonly only: readonly AclPlace[] } | { readonly except: readonly AclPlace[] }

export function isAllowed(phases: Phases, place: AclPlace): boolean {
  // An ACL that is called from an expansion outside of reception has no place of its own: nothing is known against it.
  if (phases === 'all' || place === 'unknown') return true
  return 'only' in phases ? phases.only.includes(place) : !phases.except.includes(place)
}

/** A place as Exim's messages name it: `cannot test senders condition in connection ACL`. */
export const placeNames: Readonly<Record<AclPlace, string>> = {
  connect: 'connection',
  helo: 'EHLO or HELO',
  starttls: 'STARTTLS',
  auth: 'AUTH',
  mail: 'MAIL',
  mailauth: 'MAILAUTH',
  rcpt: 'RCPT',
  predata: 'PREDATA',
  dkim: 'DKIM',
  mime: 'MIME',
  data: 'DATA',
  prdr: 'PRDR',
  quit: 'QUIT',
  notquit: 'NOTQUIT',
  etrn: 'ETRN',
  atrn: 'ATRN',
  expn: 'EXPN',
  vrfy: 'VRFY',
  wellknown: 'WELLKNOWN',
  notsmtp_start: 'non-SMTP-start',
  notsmtp: 'non-SMTP',
  notsmtp_mime: 'non-SMTP-MIME',
  delivery: 'delivery',
  unknown: 'unknown',
}

/** Where `discard` may stand. The manual allows it where messages are received; Exim 4.96 refuses it here alone. */
export const discarding: Phases = { except: ['connect', 'predata'] }

/** Places in which a message with its sender is at hand. */
export const withSender: Phases = {
  except: ['auth', 'connect', 'helo', 'mailauth', 'quit', 'etrn', 'expn', 'starttls', 'vrfy'],
}

/** Places in which headers can be added or removed. */
export const withHeaders: Phases = {
  only: ['mail', 'rcpt', 'predata', 'data', 'prdr', 'mime', 'notsmtp', 'dkim', 'notsmtp_start'],
}

/** Places in which `message` of a `warn` adds a header. */
export const withWarnHeaders: Phases = {
  only: ['mail', 'rcpt', 'predata', 'data', 'prdr', 'mime', 'notsmtp', 'dkim'],
}

/** Places in which the whole message is there for scanners. */
export const whenScanned: Phases = { only: ['data', 'prdr', 'notsmtp'] }
