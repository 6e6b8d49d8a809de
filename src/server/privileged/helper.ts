/** Starts the privileged helper of one call, then gives root up. A door: it starts a process. */
import { type ChildProcess, fork } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Server } from '../server.ts'
import { becomeUser } from './become.ts'
import type { ToHelper } from './messages.ts'
import { neverUids } from './never-users.ts'
import { prepareFolders } from './prepare-folders.ts'
import { createAsUser } from './run-as.ts'

const helperProgram = join(dirname(fileURLToPath(import.meta.url)), 'helper-main.js')

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
  let helper: ChildProcess | undefined
  if (wants.helper) {
    const never = await neverUids(server)
    helper = fork(helperProgram, [[...never].join(','), ...program], {
      cwd: '/',
      env: {},
      execArgv: [],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    const channel = helper
    channel.on('error', () => undefined)
    server.setAsUser(
      createAsUser({
        send: (message) => channel.connected && channel.send(message as object),
        on: (event: 'message' | 'disconnect', listener: (message: unknown) => void) =>
          channel.on(event, listener),
      }),
    )
  }
  server.context().debug?.('uid', `changed uid/gid: ${user.name} uid=${user.uid} gid=${user.gid}`)
  becomeUser(user.uid, user.gid, user.name, wants.groups)
  return {
    deliverInBackground: program.length === 0 || helper === undefined ? undefined : askIn(helper),
    end() {
      if (helper?.connected === true) helper.disconnect()
    },
  }
}

function askIn(helper: ChildProcess): NonNullable<Lowered['deliverInBackground']> {
  return (ids, firstPass) =>
    new Promise((resolve, reject) => {
      const ask: ToHelper = { type: 'deliver', ids, firstPass }
      helper.send(ask, (error) => (error === null ? resolve() : reject(error)))
    })
}
