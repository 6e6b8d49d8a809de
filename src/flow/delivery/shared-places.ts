/**
 * Limits that all processes share: one connection to a host (`serialize_hosts`), so many deliveries of a transport
 * (`max_parallel`). Kept in the hints database misc, as Exim does; what a dead process held is free again.
 */
import type { Hints } from '../../ports.ts'
import { isAlive, ownProcessKey } from '../../store/spool/process-key.ts'

/** A place that is taken is waited for so long; then the delivery is left for a later run. */
const waitMs = 10_000
const askEveryMs = 50

type Holders = Readonly<Record<string, number>>

/** Takes one of `most` places; gives what gives it back, or undefined when none came free in time. */
export async function takePlace(hints: Hints, key: string, most: number): Promise<(() => void) | undefined> {
  const own = ownProcessKey()
  for (const until = Date.now() + waitMs; ; ) {
    let taken = false
    await hints.update<Holders>('misc', key, (old) => {
      const living = Object.entries(old ?? {}).filter(
        ([holder, n]) => n > 0 && (holder === own || isAlive(holder)),
      )
      const used = living.reduce((sum, [, n]) => sum + n, 0)
      taken = used < most
      const holders: Record<string, number> = Object.fromEntries(living)
      if (taken) holders[own] = (holders[own] ?? 0) + 1
      return holders
    })
    if (taken) return once(() => giveBack(hints, key, own))
    if (Date.now() > until) return undefined
    await new Promise((resolve) => setTimeout(resolve, askEveryMs))
  }
}

function giveBack(hints: Hints, key: string, own: string): void {
  void hints.update<Holders>('misc', key, (old) => {
    const { [own]: held = 0, ...others } = old ?? {}
    if (held > 1) return { ...others, [own]: held - 1 }
    return Object.keys(others).length === 0 ? undefined : others
  })
}

function once(work: () => void): () => void {
  let done = false
  return () => {
    if (!done) work()
    done = true
  }
}
