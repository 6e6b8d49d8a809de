/** Does the same for all of them, some at a time. */
export async function manyAtOnce<T, R>(all: readonly T[], one: (each: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  let next = 0
  const work = async (): Promise<void> => {
    for (let i = next++; i < all.length; i = next++) {
      const each = all[i]
      if (each !== undefined) results[i] = await one(each)
    }
  }
  await Promise.all(Array.from({ length: 4 }, work))
  return results
}
