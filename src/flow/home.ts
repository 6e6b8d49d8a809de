/** `$home` in the options of one address. Source: Exim manual, "Current and home directories". */
import type { Text } from '../base/text.ts'
import type { Context } from '../ports.ts'

/** The context with that `$home`, and no other; undefined: it is empty. */
export function withHome(context: Context, home: Text | undefined): Context {
  const { address } = context
  if (address === undefined) return context
  const { home: _, ...others } = address
  return { ...context, address: home === undefined ? others : { ...others, home } }
}
