/** Reads values that have been parsed into what a table says they should be, and notes what does not fit. */
import { nearest } from '../../../base/diagnostic.ts'
import type { Entry, Place, Problem, Value } from './value.ts'

export class Problems {
  readonly found: Problem[] = []
  readonly #file: string

  constructor(file: string) {
    this.#file = file
  }

  add(at: Place, message: string): undefined {
    const { line, column } = at
    // What several tests share is read for each of them.
    if (!this.found.some((one) => one.line === line && one.column === column && one.message === message))
      this.found.push({ file: this.#file, line, column, message })
    return undefined
  }
}

/** The fields of a map by name; unknown ones are mistakes. */
export class Fields {
  readonly at: Place
  readonly #entries: readonly Entry[]
  readonly #problems: Problems

  constructor(value: Value, what: string, names: readonly string[], problems: Problems) {
    this.at = value.at
    this.#problems = problems
    this.#entries = value.is === 'map' ? value.entries : []
    if (value.is === 'text' || value.is === 'list')
      problems.add(value.at, `${what} is a map of ${names.join(', ')}`)
    for (const { key, keyAt } of this.#entries) {
      if (names.includes(key)) continue
      const near = nearest(key, names)
      problems.add(
        keyAt,
        `${what} has no "${key}"${near === undefined ? `; it may have ${names.join(', ')}` : `; did you mean "${near}"?`}`,
      )
    }
  }

  get(name: string): Value | undefined {
    return this.#entries.find(({ key }) => key === name)?.value
  }

  text(name: string): string | undefined {
    const value = this.get(name)
    if (value === undefined || value.is === 'nothing') return undefined
    if (value.is === 'text') return value.text
    return this.#problems.add(value.at, `"${name}" is a text`)
  }

  /** One text or a list of them. */
  texts(name: string): readonly string[] | undefined {
    const value = this.get(name)
    return value === undefined ? undefined : textsOf(value, `"${name}"`, this.#problems)
  }

  number(name: string): number | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    if (/^-?\d+$/.test(text)) return Number(text)
    return this.#problems.add(this.get(name)?.at ?? this.at, `"${name}" is a number`)
  }

  yes(name: string): boolean | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    if (/^(?:true|yes|on)$/i.test(text)) return true
    if (/^(?:false|no|off)$/i.test(text)) return false
    return this.#problems.add(this.get(name)?.at ?? this.at, `"${name}" is true or false`)
  }

  oneOf<T extends string>(name: string, words: readonly T[]): T | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const found = words.find((word) => word === text)
    if (found !== undefined) return found
    return this.#problems.add(this.get(name)?.at ?? this.at, `"${name}" is ${words.join(' or ')}`)
  }

  entries(name: string): readonly Entry[] {
    const value = this.get(name)
    return value === undefined ? [] : entriesOf(value, `"${name}"`, this.#problems)
  }
}

export function entriesOf(value: Value, what: string, problems: Problems): readonly Entry[] {
  if (value.is === 'map') return value.entries
  if (value.is !== 'nothing') problems.add(value.at, `${what} is a map`)
  return []
}

export function itemsOf(value: Value): readonly Value[] {
  return value.is === 'list' ? value.items : value.is === 'nothing' ? [] : [value]
}

export function textsOf(value: Value, what: string, problems: Problems): readonly string[] {
  return itemsOf(value).flatMap((item) => {
    if (item.is === 'text') return [item.text]
    problems.add(item.at, `${what} is a text or a list of texts`)
    return []
  })
}
