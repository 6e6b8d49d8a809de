/** What XCLIENT may tell of a client, as EHLO offers it. */
export const xclientNames = [
  'ADDR',
  'NAME',
  'PORT',
  'PROTO',
  'HELO',
  'LOGIN',
  'DESTADDR',
  'DESTPORT',
] as const
