/** Ids of connections: random, cut from a supply, since asking for a few random bytes costs as much as for a thousand. */
import { randomBytes } from 'node:crypto'

const idBytes = 6
const supplyBytes = 1024 * idBytes

export class RandomIds {
  #supply: Buffer = Buffer.alloc(0)
  #at = 0

  /** Twelve hexadecimal digits. */
  next(): string {
    if (this.#at >= this.#supply.length) {
      this.#supply = randomBytes(supplyBytes)
      this.#at = 0
    }
    const id = this.#supply.toString('hex', this.#at, this.#at + idBytes)
    this.#at += idBytes
    return id
  }
}
