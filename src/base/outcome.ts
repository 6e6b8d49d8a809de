/**
 * What comes of an expansion: a text, or a `Failure`. Failures are values, never thrown.
 * Source: Exim manual, "String expansions", "Forced expansion failure".
 */
import type { Text } from './text.ts'

/**
 * - `forced`: the configuration asked for it (`fail`); options say each what it means for them.
 * - `failure`: the string is wrong or cannot be expanded.
 * - `defer`: something could not be looked up now; try later.
 */
export class Failure {
  readonly kind: 'forced' | 'failure' | 'defer'
  /** Exim's sentence for the case, in bytes. */
  readonly message: string
  constructor(kind: 'forced' | 'failure' | 'defer', message: string) {
    this.kind = kind
    this.message = message
  }
}

/** What a lookup that defers was told, without its query, which is long and may hold a password. */
export function withoutQuery(message: string): string {
  return message.replace(/^[\s\S]*?lookup of "[\s\S]*" gave DEFER: /, '')
}

export type Outcome = Text | Failure

/** A value now, or a promise of it: code that need not wait does not. */
export type Awaitable<T> = T | Promise<T>

export function isFailure(value: unknown): value is Failure {
  return value instanceof Failure
}

/** Goes on with a value at once when it is there, else when it comes. */
export function after<T, U>(value: Awaitable<T>, next: (value: T) => Awaitable<U>): Awaitable<U> {
  return value instanceof Promise ? value.then(next) : next(value)
}

/** Marks code that the type checker proves unreachable. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`)
}
