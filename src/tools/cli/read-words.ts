/** The words of a command of our own, `postern check --json FILE`, by a table of its options. What is wrong is said in our words. */
import { parseArgs, type ParseArgsConfig } from 'node:util'
import { nearest } from '../../base/diagnostic.ts'
import { type ByteString, encodeUtf8 } from '../../base/text.ts'

type Rows = NonNullable<ParseArgsConfig['options']>
type Read<T extends ParseArgsConfig> = ReturnType<typeof parseArgs<T>>

/** `postern X --help`, or `-h`: anywhere before a lone `--`. */
export function asksForHelp(words: readonly string[]): boolean {
  const end = words.indexOf('--')
  return words.slice(0, end < 0 ? words.length : end).some((word) => word === '--help' || word === '-h')
}

/**
 * What the words say, by the table.
 * @param table as that of `parseArgs`, with the words in `args`
 */
export function readWords<const T extends ParseArgsConfig>(table: T): Read<T> | { readonly wrong: string } {
  const wrong = firstMistake(table)
  return wrong === undefined ? parseArgs(table) : { wrong }
}

/** Macros that `-D NAME=VALUE` sets; a text: what is wrong. */
export function readMacros(texts: readonly string[]): Map<string, ByteString> | string {
  const macros = new Map<string, ByteString>()
  for (const text of texts) {
    const parts = /^([A-Z]\w*)(?:=(.*))?$/s.exec(text)
    if (parts === null) return `-D ${text}: a macro begins with an upper case letter`
    macros.set(parts[1] ?? '', encodeUtf8(parts[2] ?? ''))
  }
  return macros
}

function firstMistake(table: ParseArgsConfig): string | undefined {
  const { args = [], options = {}, allowPositionals = false, allowNegative = false } = table
  const { tokens } = parseArgs({ ...table, strict: false, tokens: true })
  for (const token of tokens) {
    if (token.kind === 'positional' && !allowPositionals) return `what is "${token.value}"?`
    if (token.kind !== 'option') continue
    const { name, rawName, value, inlineValue } = token
    const word = args[token.index]?.replace(/=.*$/s, '') ?? rawName
    const negated = allowNegative && name.startsWith('no-') ? options[name.slice(3)] : undefined
    const row = options[name] ?? negated
    if (row === undefined) return unknown(word, options)
    if (row.type === 'boolean' && value !== undefined) return `${rawName} takes no value`
    if (row.type !== 'string') continue
    if (value === undefined) return `${rawName} needs a value`
    // `--mail --rcpt a@b.example`: more likely a value was forgotten.
    if (inlineValue === false && value.length > 1 && value.startsWith('-'))
      return `${rawName} needs a value; if that is "${value}", write ${rawName}${rawName.startsWith('--') ? '=' : ''}${value}`
  }
  return undefined
}

function unknown(word: string, options: Rows): string {
  const near = nearestOption(word, options)
  return `there is no option ${word}${near === undefined ? '' : `; did you mean ${near}?`}`
}

/** `--json` for `-json` and `--jsn`; `--config` for `--configuration` and `--conf`, where that is the only one that begins so. */
function nearestOption(word: string, options: Rows): string | undefined {
  const names = ['help', ...Object.keys(options)]
  const bare = word.replace(/^-+/, '')
  if (names.includes(bare)) return `--${bare}`
  if (bare.length < 2) return undefined
  const [like, ...others] = names.filter((name) => name.startsWith(bare) || bare.startsWith(name))
  const near = others.length === 0 && like !== undefined ? like : nearest(bare, names)
  return near === undefined ? undefined : `--${near}`
}
