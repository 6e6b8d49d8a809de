/** `postern check [FILE]`: every mistake of a configuration, in one run. */
import { renderDiagnostic } from '../../../base/diagnostic-frame.ts'
import { encodeUtf8 } from '../../../base/text.ts'
import { checkAll } from '../../inspect/check-all.ts'
import { jsonFinding } from '../../inspect/findings.ts'
import { giveUpBorrowedPrivilege } from '../privilege.ts'
import { readMacros, readWords } from '../read-words.ts'
import type { Terminal } from '../terminal.ts'

export const usage = `usage: postern check [--strict] [--json] [-D NAME=VALUE]... [FILE | -C FILE]
  tells every mistake of a configuration with its place; without FILE: of the one that the daemon reads
  --strict   warnings count as errors for the exit code, too
  --json     the findings as JSON
  -D         sets a macro
`

export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  // It shows lines of what it reads: behind a setuid launcher those that the caller may read.
  giveUpBorrowedPrivilege()
  const options = readOptions(words)
  if (typeof options === 'string') {
    terminal.err(`postern check: ${options}\n${usage}`)
    return 2
  }
  const { files, defines, strict, json } = options
  const checked = await checkAll({ ...(files.length === 0 ? {} : { files }), defines })
  if (checked.is === 'none') {
    terminal.err(`postern check: ${checked.message}\n`)
    return 1
  }
  const { configuration, found } = checked
  const errors = found.filter(({ severity }) => severity === 'error').length
  const warnings = found.length - errors
  if (json) {
    const findings = found.map(jsonFinding)
    terminal.out(
      encodeUtf8(`${JSON.stringify({ file: configuration.file, errors, warnings, findings }, null, 1)}\n`),
    )
    return errors > 0 || (strict && warnings > 0) ? 1 : 0
  }
  for (const each of found) terminal.out(`${encodeUtf8(renderDiagnostic(each))}\n\n`)
  terminal.out(`${configuration.file}: ${count(errors, 'error')}, ${count(warnings, 'warning')}\n`)
  return errors > 0 || (strict && warnings > 0) ? 1 : 0
}

function count(number: number, what: string): string {
  return `${number === 0 ? 'no' : number} ${what}${number === 1 ? '' : 's'}`
}

interface CheckOptions {
  readonly files: readonly string[]
  readonly defines: ReadonlyMap<string, string>
  readonly strict: boolean
  readonly json: boolean
}

function readOptions(words: readonly string[]): CheckOptions | string {
  const read = readWords({
    args: [...words],
    allowPositionals: true,
    options: {
      config: { type: 'string', short: 'C' },
      strict: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      define: { type: 'string', short: 'D', multiple: true, default: [] },
    },
  })
  if ('wrong' in read) return read.wrong
  const { values, positionals } = read
  const defines = readMacros(values.define)
  if (typeof defines === 'string') return defines
  const files = values.config === undefined ? positionals : values.config.split(':')
  return { files, defines, strict: values.strict, json: values.json }
}
