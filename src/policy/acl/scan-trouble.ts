/** The disk refuses a file for content scanning: the condition defers, and the panic log says why. */
import type { Context } from '../../ports.ts'
import type { Tested } from './row.ts'

export function diskRefused(condition: string, error: unknown, { message, ports }: Context): Tested {
  // Anything else is a fault of ours.
  if (!(error instanceof Error && 'code' in error)) throw error
  ports.log.panic(message?.id, `${condition} acl condition: ${error.message}`)
  return { is: 'defer' }
}
