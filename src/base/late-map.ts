/** A map that takes no room until something is in it: thousands of idle connections hold some that stay empty. */
export class LateMap<K, V> implements Map<K, V> {
  #made: Map<K, V> | undefined

  get size(): number {
    return this.#made?.size ?? 0
  }

  get(key: K): V | undefined {
    return this.#made?.get(key)
  }

  has(key: K): boolean {
    return this.#made?.has(key) ?? false
  }

  set(key: K, value: V): this {
    this.#made ??= new Map()
    this.#made.set(key, value)
    return this
  }

  delete(key: K): boolean {
    return this.#made?.delete(key) ?? false
  }

  clear(): void {
    this.#made = undefined
  }

  forEach(act: (value: V, key: K, map: Map<K, V>) => void): void {
    for (const [key, value] of this) act(value, key, this)
  }

  entries(): MapIterator<[K, V]> {
    return (this.#made ?? new Map<K, V>()).entries()
  }

  keys(): MapIterator<K> {
    return (this.#made ?? new Map<K, V>()).keys()
  }

  values(): MapIterator<V> {
    return (this.#made ?? new Map<K, V>()).values()
  }

  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.entries()
  }

  get [Symbol.toStringTag](): string {
    return 'Map'
  }
}
