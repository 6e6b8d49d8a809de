/** `postern version`: what this is, and whether a configuration means what it meant to another version. */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { decodeUtf8, encodeUtf8 } from '../../../base/text.ts'
import { loadConfiguration } from '../../../server/configuration-file.ts'
import { eximVersion, posternVersion } from '../../../server/version.ts'
import { spoolFormat } from '../../../store/spool/layout.ts'
import { compareMeanings, type Meaning, meaningOf, readMeaning } from '../../inspect/meaning.ts'
import type { Terminal } from '../terminal.ts'

const usage = `usage: postern version
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
  const now = await meaningNow(file)
  if (typeof now === 'string') return complain(now)
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

async function meaningNow(file: string): Promise<Meaning | string> {
  const loaded = await loadConfiguration({ files: [file] })
  if (loaded.is === 'none') return decodeUtf8(loaded.message)
  const [first] = loaded.fatal
  if (first !== undefined) return `${file} does not start this version: ${decodeUtf8(first.message)}`
  return meaningOf(loaded.configuration)
}

function recorded(path: string | undefined): Meaning | string {
  if (path === undefined)
    return '--check needs --against RECORD, a file that --record of the other version printed'
  try {
    return readMeaning(readFileSync(path, 'utf8')) ?? `${path} was not printed by postern version --record`
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

interface Options {
  readonly record: string | undefined
  readonly check: string | undefined
  readonly against: string | undefined
}

function readOptions(words: readonly string[]): Options | { readonly wrong: string } {
  try {
    const { values } = parseArgs({
      args: [...words],
      options: { record: { type: 'string' }, check: { type: 'string' }, against: { type: 'string' } },
    })
    if (values.record !== undefined && values.check !== undefined)
      return { wrong: '--record or --check, not both' }
    return { record: values.record, check: values.check, against: values.against }
  } catch (error) {
    return { wrong: error instanceof Error ? error.message : String(error) }
  }
}
