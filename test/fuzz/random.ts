/** Chance that can be repeated, and the usual ways to spoil a text. */

export interface Random {
  /** An integer from 0 to below `limit`. */
  readonly below: (limit: number) => number
  readonly pick: <T>(from: readonly [T, ...T[]] | readonly T[]) => T
}

export function createRandom(seed: number): Random {
  let state = (seed >>> 0) ^ 0x9e3779b9 || 1
  const next = (): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
  const below = (limit: number): number => (limit > 0 ? next() % limit : 0)
  return {
    below,
    pick<T>(from: readonly T[]): T {
      if (from.length === 0) throw new Error('nothing to pick from')
      // The index is within the list.
      return from[below(from.length)] as T
    },
  }
}

/** One to six changes of a text: cut, put in, repeat, cross with a seed, change bytes. */
export function mutate(
  text: string,
  random: Random,
  seeds: readonly string[],
  bits: readonly string[],
  longest: number = 3000,
): string {
  let result = text
  for (let i = random.below(6); i >= 0; i--) result = once(result, random, seeds, bits).slice(0, longest)
  return result
}

function once(text: string, random: Random, seeds: readonly string[], bits: readonly string[]): string {
  const at = random.below(text.length + 1)
  const [before, after] = [text.slice(0, at), text.slice(at)]
  switch (random.below(7)) {
    case 0:
      return before + after.slice(1 + random.below(4))
    case 1:
    case 2:
      return before + random.pick(bits) + after
    case 3:
      return before + after.slice(0, random.below(20)).repeat(1 + random.below(4)) + after
    case 4:
      return before + random.pick(seeds).slice(random.below(20)) + after
    case 5:
      return before + String.fromCharCode(random.below(256)) + after.slice(random.below(2))
    default:
      return before + after.slice(0, 1 + random.below(8)).repeat(1 + random.below(200)) + after
  }
}
