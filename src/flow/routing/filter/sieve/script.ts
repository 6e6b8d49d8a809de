/** What a Sieve script is checked and run with. */
import { Turn } from '../../../../base/turn.ts'
import type { ByteString } from '../../../../base/text.ts'
import type { Context } from '../../../../ports.ts'
import { SieveError } from './grammar.ts'

/** The `sieve_...` options of the router, expanded. */
export interface SieveOptions {
  /** Where `keep` puts messages. */
  readonly inbox: ByteString
  /** Undefined: `vacation` is off. */
  readonly vacationDirectory: ByteString | undefined
  /** Undefined: `notify` is off. */
  readonly notifyOwner: ByteString | undefined
  readonly userAddress: ByteString | undefined
  readonly subAddress: ByteString | undefined
}

/** RFC 5228 section 2.10.5, and what Exim has of extensions. */
export const capabilities: ReadonlySet<string> = new Set([
  // An older name.
  'comparator-en;ascii-casemap',
  'comparator-i;ascii-casemap',
  'comparator-i;ascii-numeric',
  'comparator-i;octet',
  'copy',
  'encoded-character',
  'enotify',
  'envelope',
  'fileinto',
  'subaddress',
  'vacation',
])

export class SieveScript {
  readonly context: Context
  vacationRan = false
  /** Others have theirs between comparisons that take long. */
  readonly turn: Turn = new Turn()
  readonly options: SieveOptions
  readonly #required = new Set<string>()

  constructor(context: Context, options: SieveOptions) {
    this.context = context
    this.options = options
  }

  require(capability: string, line: number): void {
    const name = capability.toLowerCase()
    if (!capabilities.has(name)) throw new SieveError('unknown capability', line)
    if (name === 'enotify' && this.options.notifyOwner === undefined)
      throw new SieveError('enotify disabled', line)
    if (name === 'vacation' && this.options.vacationDirectory === undefined)
      throw new SieveError('vacation disabled', line)
    this.#required.add(name)
  }

  needs(capability: string, line: number): void {
    if (!this.#required.has(capability)) {
      throw new SieveError(`missing previous require "${capability}";`, line)
    }
  }

  /** RFC 5228 section 2.4.2.4: `${hex: 40 41}` and `${unicode: 40 20AC}`, once that is required. */
  text(value: ByteString, line: number): ByteString {
    if (!this.#required.has('encoded-character') || !value.includes('${')) return value
    return value.replace(/\$\{(hex|unicode):([0-9a-f\s]+)\}/gi, (whole, kind: string, list: string) => {
      const numbers = list.trim().split(/\s+/)
      if (numbers[0] === '') return whole
      if (kind.toLowerCase() === 'hex') {
        if (numbers.some((one) => one.length > 2)) return whole
        return numbers.map((one) => String.fromCharCode(Number.parseInt(one, 16))).join('')
      }
      const points = numbers.map((one) => Number.parseInt(one, 16))
      const wrong = points.some((one) => one > 0x10ffff || (one >= 0xd800 && one <= 0xdfff))
      if (wrong) throw new SieveError('unicode character out of range', line)
      return Buffer.from(String.fromCodePoint(...points), 'utf8').toString('latin1')
    })
  }
}
