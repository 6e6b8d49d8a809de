/** Whether redirection data is a filter. Source: Exim manual, "Interpreting redirection data". */
import type { ByteString } from '../../../base/text.ts'

export type FilterKind = 'exim' | 'sieve'

/** By the first text of it, in any case; white space within may be left out. */
export function filterKind(data: ByteString): FilterKind | undefined {
  const word = /^\s*#\s*(exim|sieve)\s*filter/i.exec(data)?.[1]?.toLowerCase()
  return word === 'exim' || word === 'sieve' ? word : undefined
}
