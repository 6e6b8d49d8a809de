/**
 * The steps of `postern install`: what each will do, whether it is needed, and what it made. Doing them again changes
 * nothing that is right already: that is how an upgrade goes.
 */
import type { HostDoor, Owner } from './door.ts'
import { sha256 } from './door.ts'
import { eximNames, eximTools, installed, sendmailNames } from './layout.ts'
import type { Made } from './manifest.ts'
import { firstConfiguration, logrotateFile, unitFile, type UnitValues } from './texts.ts'

export interface InstallOptions extends UnitValues {
  /** Take the names sendmail, mailq, newaliases and rmail over. */
  readonly asSendmail: boolean
  /** Take the names of Exim and of its programs over. */
  readonly asExim: boolean
  /** A configuration that is found without ours, such as a Debian Exim's. */
  readonly otherConfiguration: string | undefined
  /** What the last installation made. */
  readonly made: readonly Made[]
}

export interface Step {
  /** `make the folder /var/spool/postern (0750, postern)`: follows "will " and "did: ". */
  readonly what: string
  /** Undefined: as it is, it is right. */
  run(): Made | string | undefined
}

/** In the order they are done. Steps that are not needed are left out. */
export function installSteps(host: HostDoor, options: InstallOptions): Step[] {
  return [
    ...accountSteps(host),
    ...folderSteps(host),
    ...fileSteps(host, options),
    ...linkSteps(host, options),
    ...unitSteps(host, options),
  ]
}

function accountSteps(host: HostDoor): Step[] {
  const { user: name, spool } = installed
  if (!host.live) return []
  const steps: Step[] = []
  if (host.entry('/etc/group', name) === undefined)
    steps.push({
      what: `make the group ${name}`,
      run: () => host.run('groupadd', '--system', name) ?? { kind: 'group', name },
    })
  if (host.entry('/etc/passwd', name) === undefined)
    steps.push({
      what: `make the user ${name} (no login, home ${spool})`,
      run: () =>
        host.run(
          'useradd',
          '--system',
          '--gid',
          name,
          '--home-dir',
          spool,
          '--no-create-home',
          '--shell',
          '/usr/sbin/nologin',
          '--comment',
          'Postern mail transfer agent',
          name,
        ) ?? { kind: 'user', name },
    })
  return steps
}

function folderSteps(host: HostDoor): Step[] {
  const rows = [
    { path: installed.configurationFolder, mode: 0o755, whose: 'root', keeps: 'settings' },
    { path: installed.spool, mode: 0o750, whose: installed.user, keeps: 'queue' },
    { path: installed.drop, mode: 0o3733, whose: installed.user, keeps: 'queue' },
    { path: installed.logs, mode: 0o2750, whose: `${installed.user}:adm`, keeps: 'logs' },
    { path: installed.state, mode: 0o755, whose: 'root', keeps: undefined },
  ] as const
  return rows.flatMap(({ path, mode, whose, keeps }) =>
    host.kind(path) !== undefined
      ? []
      : [
          {
            what: `make the folder ${path} (mode ${mode.toString(8).padStart(4, '0')}, of ${whose})`,
            run: (): Made => {
              host.makeFolder(path, mode, ownerOf(host, whose))
              return { kind: 'folder', path, ...(keeps === undefined ? {} : { keeps }) }
            },
          },
        ],
  )
}

/** `user` or `user:group`, by the files of the root that is installed into; root where it has no such user. */
function ownerOf(host: HostDoor, whose: string): Owner {
  const [user = 'root', group] = whose.split(':')
  const account = host.entry('/etc/passwd', user)
  const named = group === undefined ? undefined : host.entry('/etc/group', group)
  return { uid: Number(account?.[2] ?? 0), gid: Number(named?.[2] ?? account?.[3] ?? 0) }
}

function fileSteps(host: HostDoor, options: InstallOptions): Step[] {
  const steps: Step[] = []
  if (options.otherConfiguration === undefined && host.kind(installed.configuration) === undefined)
    steps.push(
      writeStep(
        host,
        installed.configuration,
        firstConfiguration(),
        'settings',
        'a first configuration: this host alone',
      ),
    )
  steps.push(...renewed(host, options, installed.unit, unitFile(options), 'the systemd unit'))
  steps.push(...renewed(host, options, installed.logrotate, logrotateFile(), 'the logrotate rule'))
  return steps
}

/** Ours are renewed; what the administrator has changed, or made, is left. */
function renewed(host: HostDoor, { made }: InstallOptions, path: string, text: string, doc: string): Step[] {
  const there = host.read(path)
  if (there === text) return []
  const ours = made.find((each) => each.kind === 'file' && each.path === path)
  const untouched = ours?.kind === 'file' && there !== undefined && sha256(there) === ours.sha256
  if (there !== undefined && !untouched)
    return [{ what: `leave ${path} as it is: it was changed by hand`, run: () => undefined }]
  return [writeStep(host, path, text, undefined, doc)]
}

function writeStep(
  host: HostDoor,
  path: string,
  text: string,
  keeps: 'settings' | undefined,
  doc: string,
): Step {
  return {
    what: `write ${path}: ${doc}`,
    run() {
      host.write(path, text, 0o644)
      return { kind: 'file', path, sha256: sha256(text), ...(keeps === undefined ? {} : { keeps }) }
    },
  }
}

function linkSteps(host: HostDoor, options: InstallOptions): Step[] {
  const { asSendmail, asExim } = options
  const paths: string[] = [installed.command]
  if (asSendmail) paths.push(...sendmailNames)
  if (asExim) paths.push(...eximNames, ...eximTools)
  else if (asSendmail) paths.push(...eximTools.filter((path) => isFree(host, options, path)))
  return paths.flatMap((path) => {
    if (host.target(path) === options.program) return []
    // The program itself may stand there, put by npm.
    if (path === installed.command && host.at(path) === options.program) return []
    const before = host.kind(path)
    const known = options.made.some((each) => each.kind === 'link' && each.path === path)
    if (before === undefined || known)
      return [
        {
          what: `link ${path} to ${options.program}`,
          run: (): Made => {
            host.link(path, options.program)
            return { kind: 'link', path, target: options.program }
          },
        },
      ]
    return [setAside(host, path, options.program)]
  })
}

/** Nobody's, or our own link of before. */
function isFree(host: HostDoor, { made }: InstallOptions, path: string): boolean {
  return host.kind(path) === undefined || made.some((each) => each.kind === 'link' && each.path === path)
}

/** On a Debian host dpkg is told, so that an upgrade of the other mail system leaves our name alone. */
function setAside(host: HostDoor, path: string, target: string): Step {
  const aside = `${path}.before-postern`
  const diverted = host.live && host.has('dpkg-divert')
  return {
    what: `link ${path} to ${target}; what has that name now moves to ${aside}${diverted ? ' (dpkg-divert)' : ''}`,
    run() {
      if (diverted) {
        const wrong = host.run('dpkg-divert', '--local', '--rename', '--divert', aside, '--add', path)
        if (wrong !== undefined) return wrong
      } else host.rename(path, aside)
      host.link(path, target)
      return { kind: 'link', path, target, aside, ...(diverted ? { diverted } : {}) }
    },
  }
}

function unitSteps(host: HostDoor, { made }: InstallOptions): Step[] {
  const { unitName: name } = installed
  if (!host.live || !host.has('systemctl')) return []
  const enabled = made.some((each) => each.kind === 'unit' && each.name === name)
  if (enabled)
    return [{ what: 'tell systemd of the unit', run: () => host.run('systemctl', 'daemon-reload') }]
  return [
    {
      what: `enable ${name}, to be started at boot`,
      run: () =>
        // Without systemd as process 1 (a container, a chroot) only the link is made.
        host.run('systemctl', 'enable', name) ?? { kind: 'unit', name },
    },
  ]
}
