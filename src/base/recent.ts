/** A map that forgets what was not used for longest. */
export class Recent<K, V> {
  private readonly most: number
  private readonly entries = new Map<K, V>()
  constructor(most: number) {
    this.most = most
  }
  get(key: K): V | undefined {
    const value = this.entries.get(key)
    if (value === undefined) return undefined
    // Moving an entry to the end costs more than finding it; only the older half needs it.
    if (this.entries.size > this.most / 2) {
      this.entries.delete(key)
      this.entries.set(key, value)
    }
    return value
  }
  set(key: K, value: V): void {
    this.entries.delete(key)
    this.entries.set(key, value)
    if (this.entries.size > this.most) {
      const oldest = this.entries.keys().next()
      if (oldest.done !== true) this.entries.delete(oldest.value)
    }
  }
  delete(key: K): void {
    this.entries.delete(key)
  }
  clear(): void {
    this.entries.clear()
  }
  get size(): number {
    return this.entries.size
  }
}
