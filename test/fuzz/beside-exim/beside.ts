/** Gives the same cases to Exim and to Postern, and shrinks those that are answered differently. */
import { createRandom } from '../random.ts'
import { smaller } from './shrink.ts'
import type { BesideBench, BesideTarget } from './target.ts'

export interface BesideReport {
  readonly target: string
  readonly seed: number
  readonly cases: number
  /** How many differ for a reason that is known, by the reason. */
  readonly meant: ReadonlyMap<string, number>
  readonly differences: readonly Difference[]
}

export interface Difference {
  readonly input: string
  readonly ours: string
  readonly exim: string
}

export interface BesideLimits {
  readonly seed: number
  readonly seconds: number
  readonly cases?: number
  /** Ends when so many have been found. */
  readonly differences: number
}

export async function beside(target: BesideTarget, limits: BesideLimits): Promise<BesideReport> {
  const bench = await target.make()
  const random = createRandom(limits.seed)
  const meant = new Map<string, number>()
  const found = new Map<string, Difference>()
  const until = performance.now() + limits.seconds * 1000
  let cases = 0
  while (
    performance.now() < until &&
    found.size < limits.differences &&
    cases < (limits.cases ?? Number.POSITIVE_INFINITY)
  ) {
    const inputs = Array.from({ length: bench.batch }, () => bench.generate(random))
    cases += inputs.length
    for (const difference of await differing(bench, inputs, meant)) {
      if (found.size >= limits.differences) break
      const [alone] = await differing(bench, [difference.input])
      if (alone === undefined) continue
      const shrunk = await shrink(bench, alone)
      const form = bench.form?.(shrunk.ours, shrunk.exim) ?? formOf(shrunk)
      if (!found.has(form)) found.set(form, shrunk)
    }
  }
  bench.close?.()
  return { target: target.name, seed: limits.seed, cases, meant, differences: [...found.values()] }
}

async function differing(
  bench: BesideBench,
  inputs: readonly string[],
  meant: Map<string, number> = new Map(),
): Promise<Difference[]> {
  const [ours, exim] = await Promise.all([bench.ours(inputs), bench.exim(inputs)])
  return inputs.flatMap((input, i) => {
    const difference = { input, ours: ours[i] ?? '', exim: exim[i] ?? '' }
    if (difference.ours === difference.exim) return []
    const why = bench.meant(input, difference.ours, difference.exim)
    if (why === undefined) return [difference]
    meant.set(why, (meant.get(why) ?? 0) + 1)
    return []
  })
}

async function shrink(bench: BesideBench, difference: Difference, steps = 0): Promise<Difference> {
  const forms = (bench.smaller?.(difference.input) ?? smaller(difference.input)).filter(
    (form) => bench.takes?.(form) ?? true,
  )
  for (const smallest of (await differing(bench, forms)).slice(0, 3)) {
    // Alone, since Exim keeps some variables from one text to the next.
    const [alone] = await differing(bench, [smallest.input])
    if (alone !== undefined) return steps < 60 ? shrink(bench, alone, steps + 1) : alone
  }
  return difference
}

/** Differences of one form are told once. */
function formOf({ input, ours, exim }: Difference): string {
  const plain = (text: string): string => text.replace(/"[^"]*"/g, '"').replace(/\d+/g, '0')
  const kind = (text: string): string => (text.startsWith('Failed') ? plain(text).slice(0, 60) : 'value')
  return JSON.stringify([input.replace(/[^\w${}]+/g, '').slice(0, 16), kind(ours), kind(exim)])
}

export function describeBeside({ target, seed, cases, meant, differences }: BesideReport): string {
  const known = [...meant].map(([why, count]) => `  meant ${count} times: ${why}`)
  const found = differences.map(
    ({ input, ours, exim }) =>
      `  ${JSON.stringify(input)}\n    Exim: ${JSON.stringify(exim)}\n    ours: ${JSON.stringify(ours)}`,
  )
  return [
    `exim/${target}: ${cases} cases, seed ${seed}, ${differences.length} differences`,
    ...known,
    ...found,
  ].join('\n')
}
