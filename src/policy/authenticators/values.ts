/**
 * `$auth1`, `$auth2` ... of one authentication, which older configurations read as `$1`, `$2` ...; and expansion with
 * them. They live no longer than the dialogue. Source: Exim manual, "SMTP authentication".
 */
import type { Expandable } from '../../base/expandable.ts'
import { type Outcome, Failure } from '../../base/outcome.ts'
import { type ByteString, type Text, taint } from '../../base/text.ts'
import type { Context } from '../../ports.ts'

/** The mechanisms fill no more. */
const mostValues = 4

export class AuthValues {
  readonly #context: Context
  readonly #variables: Map<string, Text>
  /** Exim sets the numeric variables for some drivers only. */
  readonly #captures: (Text | undefined)[] = []
  readonly #numbered: boolean
  #count = 0

  constructor(context: Context, numbered: boolean = true) {
    this.#context = context
    this.#variables = new Map(context.variables)
    for (let n = 1; n <= mostValues; n++) this.#variables.delete(`auth${n}`)
    this.#numbered = numbered
  }

  get context(): Context {
    return { ...this.#context, variables: this.#variables, captures: [...this.#captures] }
  }

  /** How many values came, those included that have no variable. */
  get count(): number {
    return this.#count
  }

  /** Adds what the other side sent; nothing of it may be trusted. */
  add(value: ByteString): void {
    this.#count++
    this.set(this.#count, value)
  }

  set(n: number, value: ByteString): void {
    if (n > mostValues) return
    const text = taint(value, `$auth${n}`)
    this.#variables.set(`auth${n}`, text)
    if (this.#numbered) this.#captures[n] = text
  }

  async expand(option: Expandable): Promise<Outcome> {
    return this.#context.ports.expand(option, this.context)
  }

  /** The expanded option; undefined when it is unset. */
  async expandOptional(option: Expandable | undefined): Promise<Text | undefined | Failure> {
    return option === undefined ? undefined : this.expand(option)
  }
}
