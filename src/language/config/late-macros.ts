/** Macros whose names stand in lines before their definition: there they are plain text. */
import type { Report, Span } from '../../base/diagnostic.ts'
import type { MappedText } from './mapped.ts'

interface Use {
  readonly line: MappedText
  readonly start: number
}

export class LateMacros {
  /** The first place of each word that could be the name of a macro and is none yet. */
  readonly #words = new Map<string, Use>()

  /** Takes a line that is no definition, macros replaced. */
  seen(line: MappedText): void {
    for (const found of line.text.matchAll(/(?<![\w$.:{-])[A-Z][A-Z0-9_]{2,}(?![\w:-])/g))
      if (!this.#words.has(found[0])) this.#words.set(found[0], { line, start: found.index })
  }

  defined(name: string, at: Span, report: Report): void {
    const use = this.#words.get(name)
    if (use === undefined) return
    report({
      code: 'macro-late',
      severity: 'warning',
      message: `"${name}" is plain text here: the macro of this name is defined later`,
      at: use.line.span(use.start, use.start + name.length),
      help: 'move the definition before this line',
      also: [{ at, says: 'it is defined here' }],
    })
  }
}
