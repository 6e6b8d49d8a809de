/** Where a command is, and whether a transport may run it. Source: Exim manual, options allow_commands, restrict_to_path. */
import { isFailure } from '../../../base/outcome.ts'
import { textOf } from '../../../base/text.ts'
import type { Expandable } from '../../../base/expandable.ts'
import type { Context } from '../../../ports.ts'

export async function findCommand(
  command: string,
  settings: { readonly allow_commands: Expandable | undefined; readonly restrict_to_path: boolean },
  path: string,
  transportName: string,
  context: Context,
): Promise<{ readonly path: string } | { readonly message: string; readonly deferred?: true }> {
  const { allow_commands: allow, restrict_to_path: restrict } = settings
  let listed = false
  if (allow !== undefined) {
    const value = await context.ports.expand(allow, context)
    if (isFailure(value))
      return {
        message: `failed to expand string "${allow.text}" for ${transportName} transport: ${value.message}`,
        deferred: true,
      }
    listed = context.ports.splitList(value).some((item) => textOf(item) === command)
  }
  if (!listed && allow !== undefined && !restrict) {
    return { message: `"${command}" command not permitted by ${transportName} transport` }
  }
  if (!listed && restrict && command.includes('/')) {
    return {
      message: `"/" found in "${command}" (command for ${transportName} transport) - failed for security reasons`,
    }
  }
  if (command.startsWith('/')) return { path: command }
  for (const folder of path.split(':')) {
    const candidate = `${folder}/${command}`
    const stat = context.ports.files.stat(candidate)
    if (!('error' in stat) && stat.kind !== 'directory') return { path: candidate }
  }
  return { message: `"${command}" command not found for ${transportName} transport` }
}
