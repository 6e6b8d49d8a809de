/** What one evaluation of an expansion carries along. */
import { Failure, type Awaitable, type Outcome } from '../../base/outcome.ts'
import { outsideWords } from '../../base/outside.ts'
import { isTainted, textOf, type ByteString, type Text } from '../../base/text.ts'
import type { Context } from '../../ports.ts'
import type { Doors } from './doors/doors.ts'
import type { RegexCache } from './regex-cache.ts'

/** Most bytes an expansion may come to, at any point. */
export const largestResult = 16 * 1024 * 1024
/** Deepest nesting of expansions that start expansions. */
export const deepestNesting = 20
/** Longest stretch of work without letting others run, in milliseconds. */
const longestStretchMs = 15

/** What an expansion engine works with beside the context. */
export interface Engine {
  readonly doors: Doors
  readonly regex: RegexCache
  /** Expands text that is not part of the configuration, inside an evaluation. */
  expandWithin(text: ByteString, environment: Environment): Awaitable<Outcome>
}

export class Environment {
  readonly context: Context
  readonly engine: Engine
  readonly depth: number
  /** `$0`, `$1` ... as they are now. */
  captures: readonly (Text | undefined)[]
  /** `$value` and `$item` as they are now. */
  value: Text
  item: Text | undefined
  /** When others last had their turn; 0: not measured yet. */
  private since = 0

  constructor(context: Context, engine: Engine, depth: number = 0) {
    this.context = context
    this.engine = engine
    this.depth = depth
    this.captures = context.captures
    this.value = context.bound?.get('value') ?? ''
    this.item = context.bound?.get('item')
  }

  /** The context with captures, `$value` and `$item` as they are now, for what the ports evaluate. */
  scope(): Context {
    const bound = new Map(this.context.bound)
    bound.set('value', this.value)
    if (this.item !== undefined) bound.set('item', this.item)
    return { ...this.context, captures: [...this.captures], bound }
  }

  /** True when a loop has run so long that others should have their turn: then await `breathe()`. */
  overdue(): boolean {
    const now = performance.now()
    if (this.since === 0) this.since = now
    return now - this.since > longestStretchMs
  }

  async breathe(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    this.since = performance.now()
  }
}

/** A failure with a sentence. */
export function failure(message: string): Failure {
  return new Failure('failure', message)
}

/** Refuses a text from outside where only the configuration's own words may stand. */
export function refuseTainted(text: Text, use: string): Failure | undefined {
  if (!isTainted(text)) return undefined
  return failure(
    `Tainted name '${textOf(text)}' for ${use} not permitted ${outsideWords(text.spans[0]?.origin)}`,
  )
}

/** Refuses to expand text from outside. */
export function refuseExpansion(text: Text): Failure | undefined {
  if (!isTainted(text)) return undefined
  const origin = text.spans[0]?.origin ?? 'outside data'
  return failure(`attempt to expand tainted string '${text.text}' (${origin} came from outside)`)
}
