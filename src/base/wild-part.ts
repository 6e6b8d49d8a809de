/** What `$0`, `$1` and `$2` are when a partial key or a default was found. Source: Exim manual, "Partial matching". */
import { slice, type Text } from './text.ts'

export interface FoundBy {
  /** How many bytes of the key the wild part took. */
  readonly wildLength?: number
  readonly isDefault?: true
}

/** `$1` the wild part, `$2` the part that was found; of a default `$1` alone, as Exim. */
export function partialCaptures(key: Text, { wildLength = 0, isDefault }: FoundBy): (Text | undefined)[] {
  // Pieces of a key from outside are from outside too.
  if (isDefault === true) return [key, slice(key, 0, wildLength)]
  if (wildLength === 0) return [key, '', key]
  return [key, slice(key, 0, wildLength), slice(key, wildLength + 1)]
}
