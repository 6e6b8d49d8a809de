/** Macros that lines of `-be` may define and use. Source: Exim manual, "-be". */
import type { MacroDefinition } from '../../language/config/configuration.ts'

/** A line grows no longer than this by its macros. */
const longest = 1 << 20

export class MacroScope {
  readonly #macros: Map<string, string>

  constructor(known: readonly MacroDefinition[]) {
    this.#macros = new Map(known.map(({ name, text }) => [name, text]))
  }

  /** False when the name is taken. */
  define(name: string, text: string): boolean {
    if (this.#macros.has(name)) return false
    this.#macros.set(name, text)
    return true
  }

  /** Replaces each macro once, in the order of their definition, as in a configuration file. */
  replace(line: string): string {
    let text = line
    for (const [name, value] of this.#macros) {
      if (text.includes(name)) text = text.replaceAll(name, () => value)
      if (text.length > longest) return text.slice(0, longest)
    }
    return text
  }
}
