/**
 * `-oPX`: removes the pid file of a daemon that is gone, the usual one or that of `-oP`. Unlike Exim's, Postern's
 * daemon removes it itself when it ends, so what is left is the file of one that was killed.
 * Source: Exim manual, "-oPX".
 */
import { removeStalePidFile } from '../../../server/pid-file.ts'
import type { ServerCall } from '../call.ts'
import { valueOf } from '../parse.ts'

export function run({ invocation, server, terminal }: ServerCall): number {
  const problem = removeStalePidFile(valueOf(invocation, '-oP') ?? server.pidFilePath)
  if (problem === undefined) return 0
  terminal.err(`${invocation.calledAs}: ${problem}\n`)
  return 1
}
