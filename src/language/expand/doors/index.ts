/** The real doors. */
import type { Doors } from './doors.ts'
import { readSocket } from './readsocket.ts'
import { runProgram } from './run.ts'

export function createDoors(): Doors {
  return {
    runCommand: runProgram,
    askSocket: readSocket,
    environmentVariable: (name) => process.env[name],
  }
}
