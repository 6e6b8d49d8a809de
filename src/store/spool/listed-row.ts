/**
 * Reads of an entry's bytes in the index what a listing shows, or what a queue run looks at, and no more: both read all entries there are.
 * The bytes are MessagePack, as `queue-index.ts` has them written: an array, whose first fields count here.
 */
import type { FrozenRow, ListedRow } from './api.ts'

/** Fields between `queueName` and `login`: the next attempt, who works on it, the reason. */
const fieldsBeforeLogin = 3
const frozenFlag = 4
const none: readonly string[] = []

/** Reads one row after the other. Its fields are plain: a short call runs this before V8 has made it fast. */
export class RowReader {
  private bytes: Buffer = Buffer.alloc(0)
  private at = 0
  private strange = false

  /** Undefined: there is something in it that this reader does not know. */
  read(id: string, bytes: Buffer): ListedRow | undefined {
    this.bytes = bytes
    this.at = 0
    this.strange = false
    this.list()
    const receivedAt = this.number()
    const size = this.number()
    const sender = this.text()
    const flags = this.number()
    this.number()
    const recipients = this.texts()
    const done = this.texts()
    const queueName = this.text()
    for (let i = 0; i < fieldsBeforeLogin; i++) this.skip()
    const login = this.text()
    if (this.strange) return undefined
    const frozen = (flags & frozenFlag) !== 0
    return { id, receivedAt, size, sender, frozen, recipients, done, queueName, login }
  }

  /**
   * A frozen message that nobody works on; undefined: it is another one, or there is something in it that this reader does not know.
   * @param queueName others are not read
   * @param dueAt nor are those with a later attempt
   */
  frozen(id: string, bytes: Buffer, queueName: string | undefined, dueAt: number): FrozenRow | undefined {
    this.bytes = bytes
    this.at = 0
    this.strange = false
    this.list()
    const receivedAt = this.number()
    this.number()
    const sender = this.text()
    if ((this.number() & frozenFlag) === 0) return undefined
    const frozenAt = this.number()
    this.skipTexts()
    this.skipTexts()
    if (queueName === '' && this.bytes[this.at] === 0xa0) this.at++
    else if (this.text() !== queueName && queueName !== undefined) return undefined
    if (this.number() > dueAt) return undefined
    const free = this.bytes[this.at] === 0xa0
    return free && !this.strange ? { id, receivedAt, sender, frozenAt } : undefined
  }

  /** The number of items that follow. */
  private list(): number {
    const type = this.byte()
    if (type >= 0x90 && type <= 0x9f) return type & 0x0f
    if (type === 0xdc) return this.unsigned(2)
    if (type === 0xdd) return this.unsigned(4)
    return this.unknown()
  }

  private number(): number {
    const type = this.byte()
    if (type <= 0x7f) return type
    if (type === 0xcb) {
      const value = this.bytes.readDoubleBE(this.at)
      this.at += 8
      return value
    }
    if (type >= 0xcc && type <= 0xcf) return this.unsigned(1 << (type - 0xcc))
    return this.unknown()
  }

  private text(): string {
    const type = this.byte()
    if (type === 0xa0) return ''
    let length: number
    if (type > 0xa0 && type <= 0xbf) length = type & 0x1f
    else if (type >= 0xd9 && type <= 0xdb) length = this.unsigned(1 << (type - 0xd9))
    else {
      this.unknown()
      return ''
    }
    const from = this.at
    this.at += length
    return this.bytes.toString('utf8', from, this.at)
  }

  private texts(): readonly string[] {
    const length = this.list()
    if (length === 0) return none
    const texts = [this.text()]
    while (texts.length < length && !this.strange) texts.push(this.text())
    return texts
  }

  private skipTexts(): void {
    for (let left = this.list(); left > 0 && !this.strange; left--) this.skip()
  }

  /** A number or a text. */
  private skip(): void {
    const type = this.bytes[this.at] ?? 0
    if (type >= 0xa0 && type <= 0xbf) this.at += 1 + (type & 0x1f)
    else if (type <= 0x7f || (type >= 0xcb && type <= 0xcf)) this.number()
    else this.text()
  }

  private byte(): number {
    return this.bytes[this.at++] ?? 0xc1
  }

  private unsigned(bytes: number): number {
    let value = 0
    for (let i = 0; i < bytes; i++) value = value * 256 + this.byte()
    return value
  }

  private unknown(): number {
    this.strange = true
    return 0
  }
}
