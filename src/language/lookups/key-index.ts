import type { ByteString } from '../../base/text.ts'

/** One map of a million keys stands still for 60 ms whenever it grows; 256 smaller ones for 1 ms each. */
const shards = 256

/** Keys in small letters; the first of equal keys counts. */
export class KeyIndex<T extends object> {
  private readonly maps: Map<ByteString, T>[] = Array.from({ length: shards }, () => new Map<ByteString, T>())

  add(key: ByteString, value: T): void {
    const map = this.mapOf(key)
    if (!map.has(key)) map.set(key, value)
  }

  get(key: ByteString): T | undefined {
    return this.mapOf(key).get(key)
  }

  private mapOf(key: ByteString): Map<ByteString, T> {
    let hash = key.length
    // Addresses of one domain differ at their beginning, names of hosts too; some end in numbers.
    for (let i = 0; i < 24 && i < key.length; i++) hash = (Math.imul(hash, 31) + key.charCodeAt(i)) | 0
    // The index is within the list.
    return this.maps[hash & (shards - 1)] as Map<ByteString, T>
  }
}
