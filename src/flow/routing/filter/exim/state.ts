/** What changes while an Exim filter runs. */
import { isFailure } from '../../../../base/outcome.ts'
import type { ByteString, Text } from '../../../../base/text.ts'
import { Turn } from '../../../../base/turn.ts'
import type { Context, MessageFacts } from '../../../../ports.ts'
import type { FilterDelivery, FilterScope, FilterWorld } from '../result.ts'

/** Ends a filter; `message` is Exim's sentence. */
export class FilterTrouble extends Error {}

/** Commands and conditions of one run, loops over addresses included. */
const stepLimit = 100_000

export class FilterState {
  readonly world: FilterWorld
  readonly deliveries: FilterDelivery[] = []
  readonly counters: number[] = Array.from({ length: 10 }, () => 0)
  significant = false
  thisAddress: Text = ''
  captures: (Text | undefined)[] = []
  /** Of the `if` commands at work. */
  depth = 0
  /** Of the command at work. */
  line = 0
  logFile: { readonly path: Text; readonly mode: number } | undefined
  #steps = 0
  readonly #turn = new Turn()
  #context: Context

  constructor(world: FilterWorld) {
    this.world = world
    const { message } = world.context
    // Who else got the message is nothing for a user to see: Exim manual, "Additional variable for system filters".
    this.#context =
      world.system || message === undefined
        ? world.context
        : { ...world.context, message: withoutRecipients(message) }
  }

  get context(): Context {
    return { ...this.#context, captures: [...this.captures], bound: this.scope().bound }
  }

  /** Headers and their character set may change on the way. */
  changeContext(change: Partial<Context>): void {
    this.#context = { ...this.#context, ...change }
  }

  /** What expansions of this moment see beside the facts. */
  scope(): FilterScope {
    const bound = new Map(this.#context.bound)
    for (const [i, n] of this.counters.entries()) bound.set(`n${i}`, String(n))
    bound.set('thisaddress', this.thisAddress)
    return { captures: [...this.captures], bound, forbidden: this.#context.forbidden }
  }

  async step(): Promise<void> {
    if (++this.#steps > stepLimit) throw new FilterTrouble('too many commands and conditions were obeyed')
    if (this.#turn.overdue()) await this.#turn.end()
  }

  async expand(text: ByteString, where: string = 'filter file'): Promise<Text> {
    const value = await this.#context.ports.expandText(text, this.context)
    if (!isFailure(value)) return value
    throw new FilterTrouble(`failed to expand "${text}" in ${where}: ${value.message}`)
  }

  /** What a command does. */
  out(line: ByteString): void {
    this.#context.trace?.note('filter', line, `line ${this.line} of the filter`)
    this.context.debug?.('filter', line)
    this.world.tester?.out(line)
  }

  /** With `-v` what belongs to a command stands as deep as its `if`. */
  outDetail(line: ByteString): void {
    const { tester } = this.world
    this.context.debug?.('filter', line)
    tester?.out(tester.verbose ? `${' '.repeat(this.depth * 2)}${line}` : line)
  }

  explain(line: ByteString): void {
    const { tester } = this.world
    this.context.debug?.('filter', line)
    if (tester?.verbose === true) tester.explain(` ${' '.repeat(this.depth * 2)}${line}`)
  }
}

/** The facts of a message read its body when they are asked: they are kept, not copied. */
function withoutRecipients(message: MessageFacts): MessageFacts {
  const hidden: MessageFacts = Object.create(message, { recipients: { value: [] } })
  return hidden
}
