/** Which addresses of a message are done. A recipient is done when all that came of it is. */
import type { ByteString } from '../../base/text.ts'
import type { Envelope, Recipient } from '../../mail/envelope.ts'

/**
 * Under which key an address is remembered. A redirection may lead to the recipient itself and to others
 * (`root: root, admin`): that child has a key of its own, or the recipient would count as done too early.
 */
export function markKey(routed: {
  readonly uniqueKey: ByteString
  readonly recipient: Recipient
  readonly ancestors: readonly ByteString[]
}): ByteString {
  return keyOf(routed.uniqueKey, routed)
}

/** The same for an address that no transport gets: it has no other key than itself. */
export function unroutedKey(unrouted: {
  readonly address: ByteString
  readonly recipient: Recipient
  readonly ancestors: readonly ByteString[]
}): ByteString {
  return keyOf(unrouted.address, unrouted)
}

function keyOf(
  key: ByteString,
  of: { readonly recipient: Recipient; readonly ancestors: readonly ByteString[] },
): ByteString {
  return key === of.recipient.address && of.ancestors.length > 0 ? `\\0\\${key}` : key
}

interface Descendant {
  readonly recipient: Recipient
  readonly key: ByteString
}

function placeOf({ recipient, key }: Descendant): string {
  return `${recipient.address}\n${key}`
}

export class Marks {
  readonly #done: Set<ByteString>
  readonly #fresh: ByteString[] = []
  /** Recipient to the keys of its descendants that are not done. */
  readonly #open = new Map<ByteString, Set<ByteString>>()
  /** Duplicates, by what they are duplicates of. */
  readonly #followers = new Map<string, Descendant[]>()
  #recipients: readonly Recipient[]

  constructor(envelope: Envelope) {
    this.#done = new Set(envelope.done)
    this.#recipients = envelope.recipients
  }

  /** Recipients that still want something. */
  pending(): Recipient[] {
    return this.#done.size === 0
      ? [...this.#recipients]
      : this.#recipients.filter((recipient) => !this.#done.has(recipient.address))
  }

  has(key: ByteString): boolean {
    return this.#done.has(key)
  }

  /** A descendant of the recipient (or itself, under its own key) has to be dealt with. */
  expect(recipient: Recipient, key: ByteString): void {
    const keys = this.#open.get(recipient.address)
    if (keys === undefined) this.#open.set(recipient.address, new Set([key]))
    else keys.add(key)
  }

  /** A descendant that is the same as one of another recipient: dealt with when that is. */
  follow(recipient: Recipient, key: ByteString, leader: Descendant): void {
    this.expect(recipient, key)
    const place = placeOf(leader)
    const followers = this.#followers.get(place)
    if (followers === undefined) this.#followers.set(place, [{ recipient, key }])
    else followers.push({ recipient, key })
  }

  expects({ recipient, key }: Descendant): boolean {
    return this.#open.get(recipient.address)?.has(key) === true
  }

  /** Something that came of the recipient is not dealt with. */
  isOpen(recipient: Recipient): boolean {
    return this.openCount(recipient) > 0
  }

  openCount(recipient: Recipient): number {
    return this.#open.get(recipient.address)?.size ?? 0
  }

  /** It is dealt with. */
  settle(recipient: Recipient, key: ByteString): void {
    const keys = this.#open.get(recipient.address)
    keys?.delete(key)
    // Remembered by itself: the recipient may wait for others, or `one_time` has put the descendant in its place.
    this.#mark(key)
    if (keys === undefined || keys.size === 0) this.#mark(recipient.address)
    const place = placeOf({ recipient, key })
    const followers = this.#followers.get(place) ?? []
    this.#followers.delete(place)
    for (const one of followers) this.settle(one.recipient, one.key)
  }

  /** Recipients put in the place of others by `one_time`. */
  replace(recipients: readonly Recipient[]): void {
    this.#recipients = recipients
  }

  markAddress(address: ByteString): void {
    this.#mark(address)
  }

  /** Marks since the last call. */
  takeFresh(): ByteString[] {
    return this.#fresh.splice(0)
  }

  get unsaved(): boolean {
    return this.#fresh.length > 0
  }

  get allDone(): boolean {
    return this.#recipients.every((recipient) => this.#done.has(recipient.address))
  }

  #mark(key: ByteString): void {
    if (this.#done.has(key)) return
    this.#done.add(key)
    this.#fresh.push(key)
  }
}
