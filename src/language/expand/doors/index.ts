/** The real doors. */
import { encodeUtf8, type ByteString } from '../../../base/text.ts'
import type { Context } from '../../../ports.ts'
import type { Doors } from './doors.ts'
import { readSocket } from './readsocket.ts'
import { runProgram } from './run.ts'

export function createDoors(): Doors {
  return {
    runCommand: runProgram,
    askSocket: readSocket,
    environmentVariable,
  }
}

/** Only what `keep_environment` and `add_environment` let through. Source: Exim manual, "Environment". */
function environmentVariable(name: string, context: Context): ByteString | undefined {
  for (const setting of context.settings.add_environment ?? []) {
    const equals = setting.indexOf('=')
    if (equals > 0 && setting.slice(0, equals) === name) return setting.slice(equals + 1)
  }
  const kept = (context.settings.keep_environment ?? []).some((item) => keeps(item, name))
  const value = kept ? process.env[name] : undefined
  return value === undefined ? undefined : encodeUtf8(value)
}

function keeps(item: string, name: string): boolean {
  return item === '*' || item === name || (item.startsWith('*') && name.endsWith(item.slice(1)))
}
