/**
 * The steps of `postern uninstall`: what was made is taken back, from the end. Queue, logs, settings and the user they
 * belong to stay without `--purge`, and stay written down, so that a later `--purge` still knows of them.
 */
import type { HostDoor } from './door.ts'
import { sha256 } from './door.ts'
import type { Step } from './install.ts'
import { installed } from './layout.ts'
import type { Made } from './manifest.ts'

export interface Uninstall {
  readonly steps: readonly Step[]
  /** What stays. */
  readonly kept: readonly Made[]
}

export function planUninstall(host: HostDoor, made: readonly Made[], purge: boolean): Uninstall {
  const some = !purge && made.some((each) => stays(host, each))
  const kept = purge ? [] : made.filter((each) => stays(host, each) || (some && isState(each)))
  const going = made.filter((each) => !kept.includes(each))
  const steps = [...going].reverse().flatMap((each) => takeBack(host, each))
  return { steps: [...runningDaemon(host), ...steps, ...runningFolder(host)], kept }
}

/** Sessions in the middle of a message finish it. */
const patienceMs = 60_000

/** One that systemd runs is stopped with its unit. */
function runningDaemon(host: HostDoor): Step[] {
  if (!host.live) return []
  const named = /^\s*pid_file_path\s*=\s*(\/\S+)/m.exec(host.read(installed.configuration) ?? '')?.[1]
  for (const file of [installed.pidFile, ...(named === undefined ? [] : [named])]) {
    const running = host.process(file, 'postern')
    if (running === undefined || running.underSystemd) continue
    const { pid } = running
    return [
      {
        what: `stop the daemon, process ${pid}, which systemd did not start`,
        run: () => host.endProcess(pid, patienceMs),
      },
    ]
  }
  return []
}

/** A daemon that systemd did not start made it itself; no installation has written it down. */
function runningFolder(host: HostDoor): Step[] {
  const { running: path } = installed
  return host.live && host.kind(path) === 'folder'
    ? [{ what: `remove the folder ${path}`, run: () => host.removeTree(path) }]
    : []
}

function stays(host: HostDoor, made: Made): boolean {
  switch (made.kind) {
    case 'user':
    case 'group':
      return true
    case 'folder':
      return made.keeps !== undefined && host.kind(made.path) === 'folder'
    case 'file': {
      const there = host.read(made.path)
      // A file that was changed since is the administrator's.
      return there !== undefined && (made.keeps !== undefined || sha256(there) !== made.sha256)
    }
    case 'link':
    case 'unit':
      return false
  }
}

function isState(made: Made): boolean {
  return made.kind === 'folder' && made.path === installed.state
}

function takeBack(host: HostDoor, made: Made): Step[] {
  switch (made.kind) {
    case 'unit':
      return host.has('systemctl')
        ? [
            {
              what: `stop and disable ${made.name}`,
              run() {
                // It may not be running; where systemd does not run at all, only the link goes.
                host.run('systemctl', 'stop', made.name)
                return host.run('systemctl', 'disable', made.name)
              },
            },
          ]
        : []
    case 'link':
      return linkBack(host, made)
    case 'file':
      return host.kind(made.path) === undefined
        ? []
        : [{ what: `remove ${made.path}`, run: () => host.remove(made.path) }]
    case 'folder':
      return host.kind(made.path) === undefined
        ? []
        : [{ what: `remove the folder ${made.path}`, run: () => host.removeTree(made.path) }]
    case 'user':
      return [
        {
          what: `remove the user ${made.name}`,
          run: () =>
            host.entry('/etc/passwd', made.name) === undefined ? undefined : host.run('userdel', made.name),
        },
      ]
    case 'group':
      return [
        {
          what: `remove the group ${made.name}`,
          // userdel removes a user's own group itself.
          run: () =>
            host.entry('/etc/group', made.name) === undefined ? undefined : host.run('groupdel', made.name),
        },
      ]
  }
}

function linkBack(
  host: HostDoor,
  { path, target, aside, diverted }: Made & { readonly kind: 'link' },
): Step[] {
  if (host.target(path) !== target)
    return [{ what: `leave ${path}: it is not our link any more`, run: () => undefined }]
  return [
    {
      what: aside === undefined ? `remove the link ${path}` : `put ${aside} back as ${path}`,
      run() {
        host.remove(path)
        if (aside === undefined) return undefined
        if (diverted === true) return host.run('dpkg-divert', '--local', '--rename', '--remove', path)
        if (host.kind(aside) !== undefined) host.rename(aside, path)
        return undefined
      },
    },
  ]
}
