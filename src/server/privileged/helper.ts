/** Starts the privileged helper of one call, then gives root up. A door: it starts a process. */
import { type ChildProcess, spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import type { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Server } from '../server.ts'
import { becomeUser } from './become.ts'
import type { Channel, Order, ToRunner } from './messages.ts'
import { neverUids } from './never-users.ts'
import { prepareFolders } from './prepare-folders.ts'
import { createAsUser } from './run-as.ts'

const helperProgram = join(dirname(fileURLToPath(import.meta.url)), 'helper-main.js')
/**
 * Most calls never need it, and Node takes longer to start than they take: until it is needed a shell stands in its place, which
 * waits for a line on descriptor 4, or for the end of this process. No word of it comes from outside.
 */
const whenNeeded = `trap '' INT USR1; read -r line <&4 && exec "$@"`

export interface Lowered {
  /** Delivers messages in a process that goes on when this one has ended, with root's power; undefined: without a helper. */
  readonly deliverInBackground: ((ids: readonly string[], firstPass: boolean) => Promise<void>) | undefined
  /** Lets the helper go. */
  end(): void
}

/**
 * Goes on as the run-time user when this process is root's.
 * @param wants `helper`: somebody who looks at files under other uids; `writing`: also spool and logs that can be written;
 * `groups`: rights to read that the run-time user has not
 * @param program how deliveries in the background are started: the program, and flags that choose the same configuration
 */
export async function lowerPrivilege(
  server: Server,
  wants: { readonly helper: boolean; readonly writing: boolean; readonly groups?: readonly number[] },
  program: readonly string[] = [],
): Promise<Lowered | { readonly wrong: string }> {
  const { user } = server
  if (process.geteuid?.() !== 0 || user.uid === 0)
    return { deliverInBackground: undefined, end: () => undefined }
  const { facts, logPaths } = server
  const wrong = wants.writing
    ? prepareFolders({ spoolDirectory: facts.spoolDirectory, logPaths, user })
    : undefined
  if (wrong !== undefined) return { wrong }
  let helper: Helper | undefined
  if (wants.helper) {
    helper = new Helper([[...(await neverUids(server))].join(','), ...program])
    server.setAsUser(createAsUser(helper))
  }
  server.context().debug?.('uid', `changed uid/gid: ${user.name} uid=${user.uid} gid=${user.gid}`)
  becomeUser(user.uid, user.gid, user.name, wants.groups)
  return {
    deliverInBackground:
      program.length === 0 || helper === undefined
        ? undefined
        : (ids, firstPass) => helper.deliver({ ids, firstPass }),
    end: () => helper?.end(),
  }
}

class Helper implements Channel {
  readonly #process: ChildProcess
  /** Lines to it: one to begin, then orders. Undefined: no descriptor was free. */
  readonly #lines: Writable | undefined
  #started = false

  constructor(words: readonly string[]) {
    const program = [process.execPath, helperProgram, ...words]
    // A shell gives borrowed rights up.
    const waits = process.getuid?.() === process.geteuid?.()
    const [file = '', ...args] = waits ? ['/bin/sh', '-c', whenNeeded, 'sh', ...program] : program
    this.#process = spawn(file, args, {
      cwd: '/',
      env: {},
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc', 'pipe'],
    })
    this.#process.on('error', () => undefined)
    const { stdio } = this.#process as { readonly stdio?: ChildProcess['stdio'] }
    this.#lines = (stdio?.[4] as Writable | null | undefined) ?? undefined
    this.#lines?.on('error', () => undefined)
  }

  on(event: 'message' | 'disconnect', listener: (message: unknown) => void): void {
    this.#process.on(event, listener)
  }

  send(message: ToRunner): boolean {
    this.#start()
    return this.#process.connected && this.#process.send(message)
  }

  /** Not by the channel: what stands there is lost when this process ends before the helper reads it. */
  deliver(order: Order): Promise<void> {
    this.#start()
    return new Promise((resolve, reject) => {
      if (this.#lines === undefined) return reject(new Error('no helper could be started'))
      this.#lines.write(`${JSON.stringify(order)}\n`, (error) => (error ? reject(error) : resolve()))
    })
  }

  end(): void {
    if (this.#process.connected) this.#process.disconnect()
    this.#lines?.end()
  }

  #start(): void {
    if (!this.#started) this.#lines?.write('\n')
    this.#started = true
  }
}
