/**
 * SASLprep of names and passwords that are not plain ASCII. The package is loaded when the first such text comes.
 * Source: RFC 4013; RFC 3454.
 */
import { createRequire } from 'node:module'
import { type ByteString, decodeUtf8, encodeUtf8 } from '../../base/text.ts'

type Saslprep = (text: string, options?: { readonly allowUnassigned?: boolean }) => string

let loaded: Saslprep | undefined

/** Undefined: characters that a name or password must not have, or the optional package is not there to tell. */
export function saslprep(text: ByteString): ByteString | undefined {
  // Printable ASCII is what it would become.
  if (/^[\x20-\x7e]*$/.test(text)) return text
  try {
    // What the package exports is this function: its own type says so.
    loaded ??= createRequire(import.meta.url)('@mongodb-js/saslprep') as Saslprep
    // RFC 4013 section 2.5: both sides of a comparison are prepared alike, so unassigned code points may stay.
    return encodeUtf8(loaded(decodeUtf8(text), { allowUnassigned: true }))
  } catch {
    return undefined
  }
}
