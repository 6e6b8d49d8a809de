/** `postern replay`: which recorded sessions another configuration would answer otherwise. */
import { resolve } from 'node:path'
import { encodeUtf8 } from '../../../base/text.ts'
import { replay } from '../../inspect/replay/replay.ts'
import { renderReplay } from '../../inspect/replay/report.ts'
import { cpuMilliseconds } from '../../inspect/test/run-files.ts'
import { findFiles } from '../../inspect/test/find-files.ts'
import { colours } from '../../inspect/test/report.ts'
import type { ConfigurationName } from '../../inspect/test/test-case.ts'
import { giveUpBorrowedPrivilege } from '../privilege.ts'
import { progress } from '../progress.ts'
import { readMacros, readWords } from '../read-words.ts'
import type { Terminal } from '../terminal.ts'

export const usage = `usage: postern replay FILE | FOLDER... --config NEW [--against OLD] [-D NAME=VALUE]... [--texts] [--all] [--json]
  plays recorded sessions ("postern test --record", *.yaml, *.json, *.jsonl) with the configuration NEW and tells which
  are decided otherwise than before; --texts: also those whose reply only reads otherwise
`
const sessionFiles = /\.(?:ya?ml|json|jsonl)$/

export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  // What a session shows of times must not depend on where it is played.
  process.env['TZ'] = 'UTC'
  giveUpBorrowedPrivilege()
  const options = readOptions(words)
  if (typeof options === 'string') {
    terminal.err(encodeUtf8(`postern replay: ${options}\n${usage}`))
    return 2
  }
  const files = findFiles(options.names, sessionFiles)
  if (typeof files === 'string' || files.length === 0) {
    const why =
      typeof files === 'string' ? files : `no *.yaml, *.json or *.jsonl in ${options.names.join(', ')}`
    terminal.err(encodeUtf8(`postern replay: ${why}\n`))
    return 2
  }
  const shown = progress(terminal, 'sessions played')
  const result = await replay({ ...options, files, tell: shown.at })
  shown.end()
  if ('sessions' in result) {
    const { unanswered, ...rest } = result
    terminal.out(
      encodeUtf8(
        options.json
          ? `${JSON.stringify({ ...rest, unanswered: Object.fromEntries(unanswered), cpuMilliseconds: cpuMilliseconds() }, null, 1)}\n`
          : renderReplay(result, options.all, colours(options.colour)),
      ),
    )
    return result.differing.length > 0 || result.wrong.length > 0 ? 1 : 0
  }
  terminal.err(encodeUtf8(`postern replay: ${result.wrong}\n`))
  return 2
}

interface Options {
  readonly names: readonly string[]
  readonly config: ConfigurationName
  readonly against: ConfigurationName | undefined
  readonly macros: ReadonlyMap<string, string>
  readonly texts: boolean
  readonly all: boolean
  readonly json: boolean
  readonly colour: boolean
}

function readOptions(words: readonly string[]): Options | string {
  const read = readWords({
    args: [...words],
    allowPositionals: true,
    options: {
      config: { type: 'string', short: 'C' },
      against: { type: 'string' },
      define: { type: 'string', short: 'D', multiple: true, default: [] },
      texts: { type: 'boolean', default: false },
      all: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  })
  if ('wrong' in read) return read.wrong
  const { values, positionals } = read
  if (positionals.length === 0) return 'name the files or folders with sessions'
  if (values.config === undefined) return '--config NEW: the configuration to try'
  const macros = readMacros(values.define)
  if (typeof macros === 'string') return macros
  const named = (path: string): ConfigurationName => ({ is: 'file', path: resolve(path) })
  return {
    ...values,
    names: positionals,
    config: named(values.config),
    against: values.against === undefined ? undefined : named(values.against),
    macros,
    colour: process.stdout.isTTY === true && (process.env['NO_COLOR'] ?? '') === '',
  }
}
