/** What a mode is handed. */
import type { EarlyWorker } from '../../server/privileged/fork-worker.ts'
import type { Lowered } from '../../server/privileged/helper.ts'
import type { ProcessState } from '../../server/process-state.ts'
import type { Server } from '../../server/server.ts'
import type { Caller, CallerRights } from './caller.ts'
import type { Invocation } from './parse.ts'
import type { Terminal } from './terminal.ts'

export interface ServerCall {
  readonly invocation: Invocation
  readonly terminal: Terminal
  readonly server: Server
  readonly caller: Caller
  readonly rights: CallerRights
  /** What SIGUSR1 tells. */
  readonly state: ProcessState
  /** Where root's power was given up: starts deliveries that still have it. */
  readonly deliverInBackground?: Lowered['deliverInBackground']
  /** Of a daemon: its first worker, started at once. */
  readonly early?: EarlyWorker | undefined
}

/** A mode that needs no configuration. Resolves to the exit code. */
export interface PlainMode {
  run(invocation: Invocation, terminal: Terminal): Promise<number> | number
}
/** A mode that needs the configuration and perhaps more. */
export interface ServerMode {
  run(call: ServerCall): Promise<number> | number
}
/** A command of Postern's own: `postern start`. */
export interface Command {
  /** What `--help` prints. */
  readonly usage: string
  run(words: readonly string[], terminal: Terminal, state: ProcessState): Promise<number> | number
}
