/** `postern install`: makes Postern a service of this host, and tells each thing it does. */
import { realpathSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { encodeUtf8 } from '../../../base/text.ts'
import { buildValues } from '../../../server/build-table.ts'
import { HostDoor } from '../../host/door.ts'
import { installSteps } from '../../host/install.ts'
import { installed } from '../../host/layout.ts'
import { addMade, type Made, parseManifest, writeManifest } from '../../host/manifest.ts'
import { readWords } from '../read-words.ts'
import type { Terminal } from '../terminal.ts'

export const usage = `usage: postern install [--prefix DIR] [--as-sendmail] [--as-exim] [--start] [--dry-run]
  --prefix DIR     install into DIR as the root of another system: no users, no services
  --as-sendmail    take the names sendmail, mailq, newaliases and rmail over; those of exiwhat,
                   exinext, exiqgrep and their kin where nobody has them
  --as-exim        take exim, exim4 and the names of all its programs over
  --start          start the service when all is done
  --dry-run        say what would be done, and do nothing
`

export function run(words: readonly string[], terminal: Terminal): number {
  const options = readOptions(words)
  if (typeof options === 'string') {
    terminal.err(encodeUtf8(`postern install: ${options}\n${usage}`))
    return 2
  }
  const complain = (message: string): number => {
    terminal.err(encodeUtf8(`postern install: ${message}\n`))
    return 1
  }
  const host = new HostDoor(options.prefix)
  if (host.live && process.geteuid?.() !== 0)
    return complain('only root can do this; --dry-run --prefix DIR shows it')
  const program = realpathSync(process.argv[1] ?? 'postern')
  const closed = host.live ? closedFolder(program) : undefined
  if (closed !== undefined)
    return complain(
      `the program is in ${closed}, which other users may not enter, and Postern does not run as root; install it for all, for example with "npm install -g"`,
    )
  const manifest = parseManifest(host.read(installed.manifest) ?? '')
  let made: readonly Made[] = manifest?.made ?? []
  const otherConfiguration = buildValues.configurationFiles.find(
    (path) => path !== installed.configuration && host.kind(path) !== undefined,
  )
  const steps = installSteps(host, {
    node: process.execPath,
    program,
    asSendmail: options.asSendmail,
    asExim: options.asExim,
    otherConfiguration,
    made,
  })
  for (const step of steps) {
    if (options.dryRun) {
      terminal.out(encodeUtf8(`would ${step.what}\n`))
      continue
    }
    const result = step.run()
    if (typeof result === 'string')
      return complain(`could not ${step.what}: ${result}\n"postern uninstall" takes back what was done`)
    terminal.out(encodeUtf8(`${step.what}: done\n`))
    if (result === undefined) continue
    made = addMade(made, result)
    if (host.kind(installed.state) === 'folder') writeManifest(host, made)
  }
  const compiled = compileProgram(host, program, options.dryRun)
  if (compiled !== undefined) terminal.out(compiled)
  else if (steps.length === 0) terminal.out('nothing to do: all is in place\n')
  if (!options.dryRun) terminal.out(encodeUtf8(farewell(options, host, otherConfiguration)))
  if (!options.start || options.dryRun || !host.live) return 0
  const wrong = host.run('systemctl', 'start', installed.unitName)
  if (wrong !== undefined) return complain(wrong)
  terminal.out(`${installed.unitName} is running\n`)
  return 0
}

/** V8's compiled form of the program is of one version of Node: it is made where it runs. It only saves time. */
function compileProgram(host: HostDoor, program: string, dryRun: boolean): string | undefined {
  const folder = dirname(dirname(program))
  if (!host.live || host.read(join(folder, 'dist/bundle/compiled-for')) === process.version) return undefined
  const what = `compile the program for Node ${process.version}`
  if (dryRun) return `would ${what}\n`
  const wrong = host.run(process.execPath, join(folder, 'bin/train.mjs'))
  return wrong === undefined ? `${what}: done\n` : `could not ${what}, calls take longer to begin: ${wrong}\n`
}

function farewell({ start }: Options, host: HostDoor, other: string | undefined): string {
  const configuration = host.kind(installed.configuration) === undefined ? other : installed.configuration
  const lines = [
    `Installed. The configuration is ${configuration ?? 'not there yet'}; "postern check" reads it.`,
    ...(host.live && !start ? [`Start it with: systemctl start ${installed.unitName}`] : []),
    'Take it back with: postern uninstall',
  ]
  return `${lines.join('\n')}\n`
}

/** The first folder on the way to the program that others may not enter. */
function closedFolder(program: string): string | undefined {
  for (let folder = dirname(program); folder !== '/'; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return folder
  }
  return undefined
}

interface Options {
  readonly prefix: string
  readonly asSendmail: boolean
  readonly asExim: boolean
  readonly start: boolean
  readonly dryRun: boolean
}

function readOptions(words: readonly string[]): Options | string {
  const read = readWords({
    args: [...words],
    options: {
      prefix: { type: 'string', default: '/' },
      'as-sendmail': { type: 'boolean', default: false },
      'as-exim': { type: 'boolean', default: false },
      start: { type: 'boolean', default: false },
      'dry-run': { type: 'boolean', default: false },
    },
  })
  if ('wrong' in read) return read.wrong
  const { values } = read
  return {
    prefix: resolve(values.prefix),
    asSendmail: values['as-sendmail'],
    asExim: values['as-exim'],
    start: values.start,
    dryRun: values['dry-run'],
  }
}
