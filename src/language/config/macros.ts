/** Macros: their definition and their replacement in a line. Source: Exim manual, "Macros in the configuration file". */
import type { Report } from '../../base/diagnostic.ts'
import type { ByteString } from '../../base/text.ts'
import type { MacroDefinition } from './configuration.ts'
import { builtinBeginning } from './builtin.ts'
import { MappedBuilder, type MacroText, type MappedText } from './mapped.ts'

/** A line may not grow beyond this by replacement. */
const maxLineLength = 1024 * 1024

interface Macro extends MacroText {
  readonly commandLine: boolean
  /** Which definition it was: macros are replaced in this order. */
  readonly order: number
}

export class MacroTable {
  readonly #makeBuiltin: () => ReadonlyMap<string, ByteString>
  #madeBuiltin: ReadonlyMap<string, ByteString> | undefined
  /** In the order of definition, which is the order of replacement. */
  readonly #macros = new Map<string, Macro>()
  /** How long names are, and how they begin: a line is looked through once, however many macros there are. */
  readonly #lengths: number[] = []
  readonly #beginnings = new Set<string>()
  readonly #builtinMacros = new Map<string, MacroText>()

  /** @param builtin makes those of the program itself, once one may be named */
  constructor(builtin: () => ReadonlyMap<string, ByteString>, defines: ReadonlyMap<string, ByteString>) {
    this.#makeBuiltin = builtin
    for (const [name, text] of defines) {
      this.#add({ name, text, definition: undefined, commandLine: true, order: this.#macros.size })
    }
  }

  #add(macro: Macro): void {
    const { name } = macro
    this.#macros.set(name, macro)
    this.#beginnings.add(name.slice(0, 2))
    if (!this.#lengths.includes(name.length)) this.#lengths.push(name.length)
  }

  /** Takes a line `NAME = text` or `NAME == text`; says so when it is neither. */
  define(line: MappedText, report: Report): void {
    const match = /^([A-Za-z0-9_]+)[ \t]*(==?)[ \t]*/.exec(line.text)
    const name = match?.[1]
    if (match === null || name === undefined) {
      report({
        code: 'macro-malformed',
        severity: 'error',
        fatal: true,
        message: 'malformed macro definition',
        at: line.span(),
        help: 'a line that begins with an upper-case letter defines a macro: NAME = text',
      })
      return
    }
    const known = this.#macros.get(name)
    // What comes with -D wins over every definition in the file.
    if (known?.commandLine === true) return
    const text = line.slice(match[0].length)
    const nameSpan = line.span(0, name.length)
    const fault = (code: string, message: string, help: string): void =>
      report({
        code,
        severity: 'error',
        fatal: true,
        message,
        at: nameSpan,
        help,
        ...(known?.definition && { also: [{ at: known.definition.span(), says: 'first defined here' }] }),
      })
    let order = known?.order ?? this.#macros.size
    if (match[2] === '==') {
      if (known === undefined) {
        const help = 'use "=" for the first definition'
        fault('macro-undefined', `can't redefine an undefined macro "${name}"`, help)
      }
    } else if (known !== undefined) {
      const message = `macro "${name}" is already defined (use "==" if you want to redefine it)`
      fault('macro-defined-twice', message, `write ${name} == to change its text from here on`)
    } else {
      const part = this.#partOf(name)
      if (part !== undefined) {
        const message = `"${name}" cannot be defined as a macro because previously defined macro "${part}" is a substring`
        fault('macro-contains-macro', message, `define ${name} before ${part}, or give it another name`)
        // Replaced before the shorter one, so that the lines that use it are judged as they are meant.
        order = (this.#macros.get(part)?.order ?? 0) - 0.5
      }
    }
    this.#add({ name, text: text.text, definition: text, commandLine: false, order })
  }

  /** Replaces macros in a line, except in its first `from` bytes. Undefined: nothing to replace. */
  replace(line: MappedText, from: number, report: Report): MappedText | undefined {
    // Names hold an upper-case letter first; most lines of a file have none.
    if (!/[A-Z]/.test(line.text)) return undefined
    let result = this.#replaceBuiltin(line, from)
    let macro = this.#firstIn((result ?? line).text, from)
    for (; macro !== undefined; macro = this.#firstIn((result ?? line).text, from, macro.order)) {
      const { name } = macro
      const replaced = replaceAll(result ?? line, from, name, macro)
      if (replaced === undefined) {
        report({
          code: 'macro-too-long',
          severity: 'error',
          fatal: true,
          message: `macro "${name}" makes a line longer than ${maxLineLength} bytes`,
          at: line.span(),
        })
        return result
      }
      result = replaced
    }
    return result
  }

  /** Does the text name a macro? What `.ifdef` asks. */
  mentions(text: ByteString): boolean {
    return this.#findBuiltin(text, 0) !== undefined || this.#firstIn(text, 0) !== undefined
  }

  names(): Iterable<string> {
    return this.#macros.keys()
  }

  list(): MacroDefinition[] {
    return Array.from(this.#macros.values(), ({ name, text, commandLine }) => ({ name, text, commandLine }))
  }

  get #builtin(): ReadonlyMap<string, ByteString> {
    return (this.#madeBuiltin ??= this.#makeBuiltin())
  }

  #partOf(name: string): string | undefined {
    return this.#firstIn(name, 0)?.name ?? this.#findBuiltin(name, 0)?.name
  }

  /** The macro defined first of those that the text names, and that were defined after another one. */
  #firstIn(text: ByteString, from: number, after: number = -1): Macro | undefined {
    let first: Macro | undefined
    for (const begin of text.matchAll(/[A-Z]/g)) {
      const at = begin.index
      const word = text.slice(at, at + 2)
      if (at < from || !(this.#beginnings.has(word) || this.#beginnings.has(word.slice(0, 1)))) continue
      for (const length of this.#lengths) {
        const macro = this.#macros.get(text.slice(at, at + length))
        if (macro !== undefined && macro.order > after && macro.order < (first?.order ?? Infinity))
          first = macro
      }
    }
    return first
  }

  #replaceBuiltin(line: MappedText, from: number): MappedText | undefined {
    let found = this.#findBuiltin(line.text, from)
    if (found === undefined) return undefined
    const builder = new MappedBuilder()
    let done = 0
    while (found !== undefined) {
      const { at, name } = found
      const macro = this.#builtinMacro(name)
      builder.append(line.slice(done, at))
      done = at + name.length
      builder.appendMacro(macro, line.slice(at, done))
      found = this.#findBuiltin(line.text, done)
    }
    builder.append(line.slice(done))
    return builder.build()
  }

  #builtinMacro(name: string): MacroText {
    const known = this.#builtinMacros.get(name)
    if (known !== undefined) return known
    const macro = { name, text: this.#builtin.get(name) ?? '', definition: undefined }
    this.#builtinMacros.set(name, macro)
    return macro
  }

  /** Built-in names are many and begin alike, so they are looked up, the longest first, instead of tried in turn. */
  #findBuiltin(text: ByteString, from: number): { at: number; name: string } | undefined {
    for (let at = text.indexOf('_', from); at !== -1; at = text.indexOf('_', at + 1)) {
      const word = /^_[A-Z][A-Za-z0-9_]{0,100}/.exec(text.slice(at, at + 102))?.[0] ?? ''
      if (!builtinBeginning.test(word)) continue
      for (let end = word.length; end > 4; end--) {
        const name = word.slice(0, end)
        if (this.#builtin.has(name)) return { at, name }
      }
    }
    return undefined
  }
}

/** Undefined when the result would be too long. */
function replaceAll(line: MappedText, from: number, name: string, macro: MacroText): MappedText | undefined {
  const builder = new MappedBuilder()
  let done = 0
  for (let at = line.text.indexOf(name, from); at !== -1; at = line.text.indexOf(name, done)) {
    builder.append(line.slice(done, at))
    done = at + name.length
    builder.appendMacro(macro, line.slice(at, done))
    if (builder.length > maxLineLength) return undefined
  }
  builder.append(line.slice(done))
  return builder.build()
}
