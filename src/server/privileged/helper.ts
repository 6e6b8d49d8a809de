/** Starts the privileged helper of one call, then gives root up. A door: it starts a process. */
import { type ChildProcess, fork } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Server } from '../server.ts'
import { becomeUser } from './become.ts'
import { neverUids } from './never-users.ts'
import { prepareFolders } from './prepare-folders.ts'
import { createAsUser } from './run-as.ts'

const helperProgram = join(dirname(fileURLToPath(import.meta.url)), 'helper-main.js')

export interface Lowered {
  /** Lets the helper go. */
  end(): void
}

/**
 * Goes on as the run-time user when this process is root's.
 * @param wants `helper`: somebody who looks at files under other uids; `writing`: also spool and logs that can be written;
 * `groups`: rights to read that the run-time user has not
 */
export async function lowerPrivilege(
  server: Server,
  wants: { readonly helper: boolean; readonly writing: boolean; readonly groups?: readonly number[] },
): Promise<Lowered | { readonly wrong: string }> {
  const { user } = server
  if (process.geteuid?.() !== 0 || user.uid === 0) return { end: () => undefined }
  const { facts, logPaths } = server
  const wrong = wants.writing
    ? prepareFolders({ spoolDirectory: facts.spoolDirectory, logPaths, user })
    : undefined
  if (wrong !== undefined) return { wrong }
  let helper: ChildProcess | undefined
  if (wants.helper) {
    const never = await neverUids(server)
    helper = fork(helperProgram, [[...never].join(',')], {
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
    end() {
      if (helper?.connected === true) helper.disconnect()
    },
  }
}
