/**
 * Words of the configuration and their place, as explanations name them again and again: made once and kept with what
 * they are about, so that whoever writes explanations writes a number in their stead.
 */
import type { Span } from './diagnostic.ts'
import type { ByteString } from './text.ts'

export type NotedPlace = Span | { readonly file: string; readonly line: number; readonly column?: number }

export class Noted {
  /** Follows what a step is about: ` in domain list +local_domains`, or `domains = +local_domains` alone. */
  readonly text: ByteString
  readonly at: NotedPlace | undefined
  /** Slots for the table of an explanation's writer; no one else touches them. */
  table: unknown = undefined
  number = -1
  constructor(text: ByteString, at: NotedPlace | undefined) {
    this.text = text
    this.at = at
  }
}
