/**
 * Results of named lists, kept while the thing they are about lives: an address, a message, a connection.
 * Source: Exim manual, "Named list caching".
 */
import type { Text } from '../../base/text.ts'
import type { ListResult, Context } from '../../ports.ts'
import type { ListKind, NamedList } from '../config/configuration.ts'

/** Results kept for one address, message or connection; more are found anew. */
const MOST = 200

type Settled = Extract<ListResult, { is: 'match' | 'no' }> & {
  /** What `$0`, `$1` ... became, when they did. */
  readonly captures?: readonly (Text | undefined)[]
}

export class Results {
  readonly #kept = new Map<NamedList, Map<string, Settled>>()
  #count = 0

  get(list: NamedList, subject: string): Settled | undefined {
    return this.#kept.get(list)?.get(subject)
  }

  put(list: NamedList, subject: string, result: Settled): void {
    if (this.#count >= MOST) return
    this.#count++
    let results = this.#kept.get(list)
    if (results === undefined) {
      results = new Map()
      this.#kept.set(list, results)
    }
    results.set(subject, result)
  }
}

export class NamedCache {
  readonly #owners = new WeakMap<object, Results>()

  /** Where results of a kind are kept in this context; undefined: nowhere. */
  of(kind: ListKind, context: Context): Results | undefined {
    const owner = ownerOf(kind, context)
    if (owner === undefined) return undefined
    let results = this.#owners.get(owner)
    if (results === undefined) {
      results = new Results()
      this.#owners.set(owner, results)
    }
    return results
  }
}

function ownerOf(kind: ListKind, context: Context): object | undefined {
  switch (kind) {
    case 'host':
      return context.connection
    case 'address':
      return context.message ?? context.connection
    default:
      return context.listCache ?? context.address ?? context.message
  }
}
