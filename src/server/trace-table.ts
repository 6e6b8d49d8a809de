/** What the explanations of one configuration share: numbers for words of it that come again, and spare room. */
import { locate } from '../base/diagnostic.ts'
import { Noted, type NotedPlace } from '../base/noted.ts'
import { decodeUtf8, type ByteString } from '../base/text.ts'
import type { TraceKind } from '../ports.ts'
import { withoutPasswords } from './trace-secrets.ts'

/** What a number stands for: text, and file, line and column; no file: the program's own words. */
export type Definition = readonly [text: string, file: string, line: number, column: number]

export function isDefinition(value: unknown): value is Definition {
  if (!Array.isArray(value)) return false
  const [text, file, line, column]: unknown[] = value
  return (
    typeof text === 'string' &&
    typeof file === 'string' &&
    typeof line === 'number' &&
    typeof column === 'number'
  )
}

/** More than a configuration holds: only texts that are made while the program runs can come to so many. */
const mostDefinitions = 65_536
const longestText = 2000
const mostSpare = 64
export const smallTape = 1024
const largestSpare = 16 * 1024

export class TraceTable {
  readonly #definitions: Definition[] = []
  /** Places that came without words. */
  readonly #places = new WeakMap<object, Noted>()
  readonly #spare: Buffer[] = []

  get size(): number {
    return this.#definitions.length
  }

  /** Those from a number on, for a file that has the ones before it. */
  from(number: number): readonly Definition[] {
    return number === 0 ? this.#definitions : this.#definitions.slice(number)
  }

  /** Undefined: the table is full. */
  numberOf(noted: Noted): number | undefined {
    if (noted.table === this) return noted.number
    if (this.#definitions.length >= mostDefinitions) return undefined
    noted.table = this
    noted.number = this.#definitions.push(definitionOf(noted)) - 1
    return noted.number
  }

  noted(at: Noted | NotedPlace): Noted {
    if (at instanceof Noted) return at
    let known = this.#places.get(at)
    if (known === undefined) this.#places.set(at, (known = new Noted('', at)))
    return known
  }

  takeBuffer(): Buffer {
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(smallTape)
  }

  giveBuffer(buffer: Buffer): void {
    if (buffer.length <= largestSpare && this.#spare.length < mostSpare) this.#spare.push(buffer)
  }
}

export function definitionOf({ text, at }: Noted): Definition {
  const place = at === undefined ? undefined : 'file' in at ? at : locate(at)
  const file = place === undefined || place.file === '(built in)' ? '' : decodeUtf8(place.file)
  const { line = 0, column = 0 } = place ?? {}
  return [decodeUtf8(withoutPasswords(cutText(text, longestText))), file, line, column]
}

export function cutText(text: ByteString, longest: number): ByteString {
  return text.length > longest ? `${text.slice(0, longest)}...` : text
}

/** The order is part of what is stored: new kinds stand at the end. */
export const traceKinds: readonly TraceKind[] = [
  'message',
  'command',
  'acl',
  'statement',
  'condition',
  'expansion',
  'variable',
  'list',
  'lookup',
  'dns',
  'verify',
  'reply',
  'log',
  'address',
  'router',
  'routing',
  'transport',
  'host',
  'tls',
  'sent',
  'file',
  'user',
  'group',
  'filter',
]
