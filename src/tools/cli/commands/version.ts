/** `postern version`: what this is, and whether a configuration means what it meant to another version. */
import { readFileSync } from 'node:fs'
import { systemReason } from '../../../base/system-error.ts'
import { decodeUtf8, encodeUtf8 } from '../../../base/text.ts'
import type { Configuration } from '../../../language/config/configuration.ts'
import { loadConfiguration } from '../../../server/configuration-file.ts'
import { openServer } from '../../../server/open-server.ts'
import { eximVersion, posternVersion } from '../../../server/version.ts'
import { spoolFormat } from '../../../store/spool/layout.ts'
import { recordedVersion } from '../../../store/spool/versions.ts'
import { changesSince, isVersion } from '../../inspect/changes-of-meaning.ts'
import { compareMeanings, type Meaning, meaningOf, readMeaning } from '../../inspect/meaning.ts'
import { readWords } from '../read-words.ts'
import type { Terminal } from '../terminal.ts'

export const usage = `usage: postern version
       postern version --check FILE [--from VERSION]    tells what it means otherwise since VERSION; left out: since the
                                                        version that ran last, which its spool names
       postern version --record FILE                    prints what the configuration means to this version, as JSON
       postern version --check FILE --against RECORD    tells what it means otherwise than when RECORD was printed
`

/** Exit code 0: means the same; 1: does not; 2: could not be found out. */
export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  const complain = (why: string): number => {
    terminal.err(encodeUtf8(`postern version: ${why}\n`))
    return 2
  }
  const options = readOptions(words)
  if ('wrong' in options) return complain(`${options.wrong}\n${usage.trimEnd()}`)
  const file = options.record ?? options.check
  if (file === undefined) {
    const lines = [
      `Postern ${posternVersion} (Exim ${eximVersion} configurations)`,
      `spool format ${spoolFormat}, Node.js ${process.version}, OpenSSL ${process.versions.openssl}`,
    ]
    terminal.out(`${lines.join('\n')}\n`)
    return 0
  }
  const configuration = await read(file)
  if (typeof configuration === 'string') return complain(configuration)
  if (options.check !== undefined && options.against === undefined) {
    const from = options.from ?? (await lastVersion(configuration))
    return typeof from === 'string' ? tellChanges(file, from, configuration, terminal) : complain(from.wrong)
  }
  const now = meaningOf(configuration)
  if (options.record !== undefined) {
    terminal.out(encodeUtf8(`${JSON.stringify(now, undefined, 1)}\n`))
    return 0
  }
  const before = recorded(options.against)
  if (typeof before === 'string') return complain(before)
  const changes = compareMeanings(before, now)
  for (const change of changes) terminal.out(encodeUtf8(`${change}\n`))
  const versions = `${before.version} and ${now.version}`
  terminal.out(
    changes.length === 0
      ? `${file} means the same to ${versions}\n`
      : `${changes.length} differences between ${versions}\n`,
  )
  return changes.length === 0 ? 0 : 1
}

interface Wrong {
  readonly wrong: string
}

function tellChanges(file: string, from: string, configuration: Configuration, terminal: Terminal): number {
  const changes = changesSince(from, configuration)
  for (const change of changes) terminal.out(encodeUtf8(`${change}\n`))
  const versions = `${from} and ${posternVersion}`
  terminal.out(
    encodeUtf8(
      changes.length === 0
        ? `${file} means the same to ${versions}\n`
        : `${changes.length} ${changes.length === 1 ? 'change' : 'changes'} between ${versions}\n`,
    ),
  )
  return changes.length === 0 ? 0 : 1
}

/** The version that the daemon wrote into the spool of this configuration. */
async function lastVersion(configuration: Configuration): Promise<string | Wrong> {
  const opened = await openServer({
    configuration,
    programPath: process.argv[1] ?? 'postern',
    environment: {},
    brief: true,
  })
  if (opened.is === 'wrong') return { wrong: decodeUtf8(opened.message) }
  const { spoolDirectory } = opened.server.facts
  await opened.server.close()
  const say = 'say --from VERSION'
  try {
    return (
      recordedVersion(spoolDirectory) ?? { wrong: `no version is written down in ${spoolDirectory}: ${say}` }
    )
  } catch (error) {
    return { wrong: `${error instanceof Error ? error.message : String(error)}: ${say}` }
  }
}

async function read(file: string): Promise<Configuration | string> {
  const loaded = await loadConfiguration({ files: [file] })
  if (loaded.is === 'none') return decodeUtf8(loaded.message)
  const [first] = loaded.fatal
  if (first !== undefined) return `${file} does not start this version: ${decodeUtf8(first.message)}`
  return loaded.configuration
}

function recorded(path = ''): Meaning | string {
  try {
    return readMeaning(readFileSync(path, 'utf8')) ?? `${path} was not printed by postern version --record`
  } catch (error) {
    return `${path}: ${systemReason(error)}`
  }
}

interface Options {
  readonly record: string | undefined
  readonly check: string | undefined
  readonly against: string | undefined
  readonly from: string | undefined
}

function readOptions(words: readonly string[]): Options | { readonly wrong: string } {
  const read = readWords({
    args: [...words],
    options: {
      record: { type: 'string' },
      check: { type: 'string' },
      against: { type: 'string' },
      from: { type: 'string' },
    },
  })
  if ('wrong' in read) return read
  const { values } = read
  if (values.from !== undefined && !isVersion(values.from))
    return { wrong: `--from ${values.from}: a version, such as ${posternVersion}` }
  if (values.from !== undefined && values.against !== undefined)
    return { wrong: '--from or --against, not both' }
  if (values.record !== undefined && values.check !== undefined)
    return { wrong: '--record or --check, not both' }
  return { record: values.record, check: values.check, against: values.against, from: values.from }
}
