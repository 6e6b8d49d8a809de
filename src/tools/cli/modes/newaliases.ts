/** `-bi`, as newaliases: runs the command of `bi_command`. Source: Exim manual, "-bi". */
import { spawnSync } from 'node:child_process'
import type { ServerCall } from '../call.ts'
import { valueOf } from '../parse.ts'

export function run({ invocation, server, terminal }: ServerCall): number {
  const command = server.settings.bi_command
  if (command === undefined) return 0
  const argument = valueOf(invocation, '-oA')
  const done = spawnSync(command, argument === undefined ? [] : [argument], { stdio: 'inherit' })
  if (done.error === undefined) return done.status ?? 1
  terminal.err(`${invocation.calledAs}: ${command}: ${done.error.message}\n`)
  return 1
}
