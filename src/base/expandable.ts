/** A piece of configuration text that is expanded when used, with its place; compiled once, kept with it. */
import { builtin, type Span, type TextOrigin } from './diagnostic.ts'
import type { ByteString } from './text.ts'

export class Expandable {
  readonly text: ByteString
  /** Where each byte of `text` stands. */
  readonly origin: TextOrigin
  /** The option, ACL statement or list it belongs to, for messages: `tls_certificate`, `acl_check_rcpt`. */
  readonly name: string
  /** Slots for what the expansion engine and the list engine compile from it; no one else touches them. */
  compiled: unknown = undefined
  compiledList: unknown = undefined
  /** Another one, for what explanations say of it. */
  explained: unknown = undefined
  private plain: boolean | undefined = undefined
  constructor(text: ByteString, origin: TextOrigin = builtin, name: string = '') {
    this.text = text
    this.origin = origin
    this.name = name
  }
  /** It stands for itself: to expand it changes nothing. */
  get isPlain(): boolean {
    return (this.plain ??= !/[$\\]/.test(this.text))
  }
  /** The whole text as a span. */
  span(start: number = 0, end: number = this.text.length): Span {
    return { origin: this.origin, start, end }
  }
}

/** A list that is split before its items are expanded, one by one. */
export class ExpandableItems extends Expandable {
  readonly items: readonly Expandable[]
  constructor(text: ByteString, items: readonly Expandable[], origin?: TextOrigin, name?: string) {
    super(text, origin, name)
    this.items = items
  }
}

/** What of an option's value is expanded as one text each. */
export function* expandedTexts(value: unknown): Iterable<Expandable> {
  if (value instanceof ExpandableItems) yield* value.items
  else if (value instanceof Expandable) yield value
  else if (Array.isArray(value)) for (const each of value) yield* expandedTexts(each)
}
