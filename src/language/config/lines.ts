/**
 * From files to logical lines: macros replaced, conditionals and includes followed, continuations joined,
 * comments and blank lines gone. Lines are pulled one by one, since a definition takes effect on the next line.
 * Source: Exim manual, "Configuration file format" to "Conditional skips in the configuration file".
 */
import { type Diagnostic, nearest, type Report, type Span } from '../../base/diagnostic.ts'
import type { ByteString } from '../../base/text.ts'
import { fromBytes } from '../../base/text.ts'
import type { MacroTable } from './macros.ts'
import { isSpace, MappedBuilder, MappedText, skipSpace } from './mapped.ts'
import { SourceFile } from './source.ts'

export type FileResult = { readonly bytes: Uint8Array } | { readonly error: string; readonly code: string }

export type ReadFile = (path: string) => FileResult

/** Includes deeper than this are a loop. */
const maxIncludeDepth = 20
const maxIncludes = 2000
/** All files together. */
const maxBytes = 64 * 1024 * 1024

const directives = ['.ifdef', '.ifndef', '.elifdef', '.elifndef', '.else', '.endif']
const directiveBeginning = /^\.(?:ifdef|ifndef|elifdef|elifndef|else|endif)/
/** A line that a macro may make a directive of. */
const beginsWithMacro = /^(?:\.[a-z]*)?[A-Z_]/

function directiveOf(text: ByteString): string | undefined {
  const found = directiveBeginning.exec(text)?.[0]
  return found !== undefined && /^(?:[ \t]|$)/.test(text.slice(found.length)) ? found : undefined
}

interface OpenFile {
  readonly source: SourceFile
  offset: number
}

/** An `.ifdef` that is open. */
interface Conditional {
  readonly at: Span
  /** `taking` lines now; `waiting` for a branch that holds; `done`: a branch was taken, or all stands in one that is not. */
  state: 'taking' | 'waiting' | 'done'
}

export class LineReader {
  readonly #readFile: ReadFile
  readonly #macros: MacroTable
  readonly #report: Report
  readonly #open: OpenFile[] = []
  readonly #conditionals: Conditional[] = []
  readonly files: string[] = []
  /** False at the end of a file whose last lines were passed over, since an `.endif` is missing. */
  whole = true
  /** The latest line was. */
  #passedOver = false
  /** Told when reading moves to another file: at a line of it, from 1. */
  readonly #moved: (file: string, line: number) => void
  #bytes = 0
  #includes = 0
  #ended = false

  constructor(
    first: SourceFile,
    readFile: ReadFile,
    macros: MacroTable,
    report: Report,
    moved: (file: string, line: number) => void,
  ) {
    this.#moved = moved
    this.#readFile = readFile
    this.#macros = macros
    this.#report = report
    this.#push(first)
  }

  /** The next logical line, or undefined at the end of the last file. */
  next(): MappedText | undefined {
    for (;;) {
      const line = this.#physicalLine(false)
      if (line === undefined) return undefined
      // A blank line ends a continuation; elsewhere it means nothing.
      const joined = line.text.endsWith('\\') ? this.#joined(line) : line
      if (joined.text !== '') return joined
    }
  }

  #joined(first: MappedText): MappedText {
    const builder = new MappedBuilder()
    let line: MappedText | undefined = first
    while (line !== undefined) {
      const goesOn: boolean = line.text.endsWith('\\')
      builder.append(goesOn ? line.slice(0, line.text.length - 1) : line)
      line = goesOn ? this.#physicalLine(true) : undefined
    }
    return builder.build().trim()
  }

  /** A line of the files, trimmed, with directives and comments already dealt with. */
  #physicalLine(continued: boolean): MappedText | undefined {
    for (;;) {
      const raw = this.#rawLine()
      if (raw === undefined) {
        this.#end()
        return undefined
      }
      if (raw.text.startsWith('#')) continue
      // Macros are replaced before directives are looked for, in what is passed over too.
      const replaced = beginsWithMacro.test(raw.text) ? this.#replaced(raw, continued) : undefined
      const directive = directiveOf(replaced?.text ?? raw.text)
      if (directive !== undefined) {
        this.#conditional(directive, replaced ?? raw, replaced !== undefined && replaced !== raw)
        continue
      }
      this.#passedOver = this.#conditionals.some((c) => c.state !== 'taking')
      if (this.#passedOver) {
        this.#misspelt(raw)
        continue
      }
      const line = replaced ?? this.#replaced(raw, continued)
      // Exim passes over what only begins like a directive, without a word.
      if (directiveBeginning.test(line.text)) {
        this.#misspelt(line)
        continue
      }
      if (line.text.startsWith('#') || (line.text === '' && raw.text !== '')) continue
      // Its .endif is right.
      if (/^\.if[a-z]*[ \t]/.test(line.text))
        this.#conditionals.push({ at: line.span(0, line.text.search(/[ \t]/)), state: 'taking' })
      const include = /^\.include(?:_if_exists)?(?=[ \t]|$)/.exec(line.text)?.[0]
      if (include === undefined) return line
      this.#include(include, line)
    }
  }

  #replaced(raw: MappedText, continued: boolean): MappedText {
    // The name that a line defines is not replaced, or no macro could be redefined.
    const definition = continued ? null : /^[A-Z][A-Za-z0-9_]*(?=[ \t]*=)/.exec(raw.text)
    return this.#macros.replace(raw, definition?.[0].length ?? 0, this.#report)?.trim() ?? raw
  }

  #rawLine(): MappedText | undefined {
    for (let file = this.#open.at(-1); file !== undefined; file = this.#open.at(-1)) {
      const { text } = file.source
      if (file.offset >= text.length) {
        this.#open.pop()
        const including = this.#open.at(-1)
        // The line of the include, which has just been read.
        if (including !== undefined)
          this.#moved(including.source.name, including.source.lineAt(including.offset - 1))
        continue
      }
      const newline = text.indexOf('\n', file.offset)
      const end = newline === -1 ? text.length : newline
      const start = Math.min(skipSpace(text, file.offset), end)
      let last = end
      while (last > start && isSpace(text.charCodeAt(last - 1))) last--
      file.offset = end + 1
      return MappedText.ofFile(file.source, start, last)
    }
    return undefined
  }

  /** @param made whether a macro made the directive: it counts as one that is named */
  #conditional(directive: string, line: MappedText, made: boolean): void {
    const test = line.text.slice(directive.length)
    const holds = (): boolean => (made || this.#macros.mentions(test)) === !directive.includes('ifn')
    if (directive === '.ifdef' || directive === '.ifndef') {
      const within = this.#conditionals.every((c) => c.state === 'taking')
      const state = !within ? 'done' : holds() ? 'taking' : 'waiting'
      this.#conditionals.push({ at: line.span(0, directive.length), state })
      return
    }
    const current = this.#conditionals.at(-1)
    if (current === undefined) {
      this.#fault(
        'conditional-unmatched',
        `${directive} without matching .ifdef`,
        line.span(0, directive.length),
        'no .ifdef or .ifndef is open here',
      )
      return
    }
    if (directive === '.endif') this.#conditionals.pop()
    else if (current.state === 'taking') current.state = 'done'
    else if (current.state === 'waiting' && (directive === '.else' || holds())) current.state = 'taking'
  }

  /** What looks like a directive is passed over. */
  #misspelt(line: MappedText): void {
    const word = /^\.[a-z_]+(?:[^a-z_ \t]\S*)?/.exec(line.text)?.[0]
    if (word === undefined || word.startsWith('.include')) return
    const near = /^\.el\w*if$/.test(word)
      ? '.elifdef'
      : (nearest(word, directives) ?? directiveBeginning.exec(word)?.[0])
    if (near === undefined) return
    this.#report({
      code: 'directive-unknown',
      severity: 'warning',
      message: `"${word}" is no directive: this line is passed over${this.#passedOver ? ' with the branch it stands in' : ''}`,
      at: line.span(0, word.length),
      help: `did you mean "${near}"?`,
    })
  }

  #include(directive: string, line: MappedText): void {
    const from = skipSpace(line.text, directive.length)
    const quoted = /^"([^"]*)"$/.exec(line.text.slice(from))
    const name = quoted?.[1] ?? line.text.slice(from)
    const at = line.span(Math.min(from, line.text.length - 1))
    if (name === '') return this.#fault('include-no-name', `${directive} must be followed by a file name`, at)
    const path = this.#includePath(directive, name, at)
    if (path === undefined) return
    if (this.#open.length > maxIncludeDepth || this.#includes >= maxIncludes) {
      const message = `included configuration files are nested too deeply at ${path}`
      return this.#fault('include-too-deep', message, at, 'a file that includes itself never ends')
    }
    this.#includes++
    const result = this.#readFile(path)
    if ('bytes' in result) {
      if (this.#bytes + result.bytes.length > maxBytes) {
        return this.#fault('include-too-large', `the configuration is larger than ${maxBytes} bytes`, at)
      }
      const including = this.#open.at(-1)
      if (including !== undefined)
        this.#moved(including.source.name, including.source.lineAt(including.offset - 1))
      this.#push(new SourceFile(path, fromBytes(result.bytes)))
    } else if (directive === '.include' || !['ENOENT', 'ENOTDIR'].includes(result.code)) {
      const message = `failed to open included configuration file ${path}`
      this.#fault('include-failed', message, at, result.error)
    }
  }

  #includePath(directive: string, name: string, at: Span): string | undefined {
    if (name.startsWith('/')) return name
    if (directive === '.include_if_exists') {
      const message = `.include specifies a non-absolute path "${name}"`
      this.#fault(
        'include-relative',
        message,
        at,
        'only .include takes a name relative to the including file',
      )
      return undefined
    }
    const including = this.#open.at(-1)?.source.name ?? ''
    return including.slice(0, including.lastIndexOf('/') + 1) + name
  }

  #push(source: SourceFile): void {
    this.#open.push({ source, offset: 0 })
    this.#bytes += source.text.length
    if (!this.files.includes(source.name)) this.files.push(source.name)
    this.#moved(source.name, 1)
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.whole = !this.#passedOver || this.#conditionals.length === 0
    for (const { at } of this.#conditionals) {
      const message = 'Unexpected end of configuration file: .endif missing'
      this.#fault('endif-missing', message, at, 'this conditional is still open at the end')
    }
  }

  #fault(code: string, message: ByteString, at: Span, help?: string): void {
    const diagnostic: Diagnostic = { code, severity: 'error', fatal: true, message, at, help }
    this.#report(diagnostic)
  }
}
