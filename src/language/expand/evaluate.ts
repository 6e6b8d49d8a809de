/** Small pieces that rows evaluate with: arguments in order, branches, loops over lists. */
import { Failure, isFailure, type Awaitable, type Outcome } from '../../base/outcome.ts'
import { textOf, type Text } from '../../base/text.ts'
import type { Environment } from './environment.ts'
import type { Compiler, Run } from './rows.ts'
import type { Branches } from './tree.ts'

/** Evaluates in order; the first failure ends it. */
export function inOrder(
  runs: readonly Run[],
  environment: Environment,
  from: number = 0,
  values: Text[] = [],
): Awaitable<Text[] | Failure> {
  for (let i = from; i < runs.length; i++) {
    const run = runs[i]
    if (run === undefined) break
    const value = run(environment)
    if (value instanceof Promise) {
      return value.then((settled) =>
        isFailure(settled) ? settled : inOrder(runs, environment, i + 1, [...values, settled]),
      )
    }
    if (isFailure(value)) return value
    values.push(value)
  }
  return values
}

/** What an item with `{yes}{no}` found out: the text for `$value`, and which branch it is. */
export interface Choice {
  readonly found: boolean
  readonly value: Text
}

/** Compiles `{yes}{no}`: without them the value itself, or nothing. `$value` and captures are restored after. */
export function compileBranches(
  name: string,
  branches: Branches | undefined,
  compiler: Compiler,
  /** What a true item without branches comes to; undefined: its value. */
  whenTrue?: string,
): (environment: Environment, choice: Choice) => Awaitable<Outcome> {
  const yes = branches?.yes && compiler.template(branches.yes)
  const no = branches?.no
  const forced = new Failure('forced', `"${name}" failed and "fail" requested`)
  const runNo = no === undefined || no === 'fail' ? undefined : compiler.template(no)
  return (environment, choice) => {
    if (!choice.found && no === 'fail') return forced
    const run = choice.found ? yes : runNo
    if (run === undefined) return choice.found && yes === undefined ? (whenTrue ?? choice.value) : ''
    const before = environment.value
    environment.value = choice.value
    return finallyDo(run(environment), () => {
      environment.value = before
    })
  }
}

/** Runs `last` when the value is there. Rejections (bugs) go through. */
export function finallyDo<T>(value: Awaitable<T>, last: () => void): Awaitable<T> {
  if (value instanceof Promise) return value.finally(last)
  last()
  return value
}

/**
 * Calls `body` for each item in order, `$item` bound to it; stops at a failure or when `body` gives `stop`.
 * Long loops let others have their turn.
 */
export function eachItem<T>(
  list: readonly Text[],
  environment: Environment,
  body: (item: Text, index: number) => Awaitable<T | undefined>,
): Awaitable<T | undefined> {
  const before = environment.item
  const restore = () => {
    environment.item = before
  }
  const from = (start: number): Awaitable<T | undefined> => {
    for (let i = start; i < list.length; i++) {
      if (i % 16 === 15 && environment.overdue()) {
        return environment.breathe().then(() => step(i))
      }
      const item = list[i] ?? ''
      environment.item = item
      const result = body(item, i)
      if (result instanceof Promise) {
        return result.then((settled) => (settled === undefined ? from(i + 1) : settled))
      }
      if (result !== undefined) return result
    }
    return undefined
  }
  const step = (i: number): Awaitable<T | undefined> => {
    environment.item = list[i] ?? ''
    const result = body(list[i] ?? '', i)
    if (result instanceof Promise) {
      return result.then((settled) => (settled === undefined ? from(i + 1) : settled))
    }
    return result === undefined ? from(i + 1) : result
  }
  return finallyDo(from(0), restore)
}

/** A failure that says inside what it came about, as Exim's do. */
export function inside(failed: Failure, where: string): Failure {
  return new Failure(failed.kind, `${failed.message} inside ${where}`)
}

/** The separator a list begins with, or a colon. */
export function separatorOf(list: Text): string {
  const match =
    /^\s*<([^\w\s]|[\x01-\x08\x0a-\x1f\x7f])/.exec(textOf(list)) ?? /^\s*<(\n|\t)/.exec(textOf(list))
  return match?.[1] ?? ':'
}

/** Doubles a separator inside an item that becomes part of a list; an empty item becomes a space where it must. */
export function quoteItem(text: string, separator: string): string {
  return text.includes(separator) ? text.split(separator).join(separator + separator) : text
}
