/** Which addresses of a message are done. A recipient is done when all that came of it is. */
import { asciiLower, type ByteString } from '../../base/text.ts'
import { splitAddress } from '../../mail/address.ts'
import type { Envelope, Recipient } from '../../mail/envelope.ts'

/** What a key is made of. */
export interface Keyed {
  readonly uniqueKey: ByteString
  readonly recipient: Recipient
  readonly ancestors: readonly ByteString[]
}

/** The mark of a recipient that became others, or nothing: it was not delivered itself. */
function becameOthers(address: ByteString): ByteString {
  return `\\1\\${uniqueAddress(address)}`
}

/** The mark of a recipient that failed beside addresses that it led to (`:fail:` behind them), and that wait. */
function failedItself(address: ByteString): ByteString {
  return `\\2\\${uniqueAddress(address)}`
}

/** Under which key an address without a transport and without a report is remembered: another route may deliver it. */
export function discardedKey({
  address,
  recipient,
  ancestors,
}: Omit<Keyed, 'uniqueKey'> & { readonly address: ByteString }): ByteString {
  return ancestors.length === 0 ? becameOthers(address) : `${becameOthers(address)}:${recipient.address}`
}

/** As routing has it: the domain in lower case. */
function uniqueAddress(address: ByteString): ByteString {
  const { localPart, domain } = splitAddress(address)
  return domain === '' ? localPart : `${localPart}@${asciiLower(domain)}`
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
  #addresses: ReadonlySet<ByteString>

  constructor(envelope: Envelope) {
    this.#done = new Set(envelope.done)
    this.#recipients = envelope.recipients
    this.#addresses = addressesOf(envelope.recipients)
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

  /** Something of this name is done: as a recipient it would be passed over. */
  isNameOfDone(address: ByteString): boolean {
    return this.#done.has(address) || this.#done.has(uniqueAddress(address))
  }

  /**
   * Under which key an address is remembered. A redirection may lead to an address that is a recipient too, and a redirection itself
   * (`root: root, admin`): that child has a key of its own, or the recipient would count as done too early.
   */
  keyOf({ uniqueKey, ancestors }: Keyed): ByteString {
    return ancestors.length > 0 && this.#addresses.has(uniqueKey) ? `\\0\\${uniqueKey}` : uniqueKey
  }

  /** The same for an address that no transport gets: it has no other key than itself. */
  unroutedKey(unrouted: Omit<Keyed, 'uniqueKey'> & { readonly address: ByteString }): ByteString {
    return this.keyOf({ ...unrouted, uniqueKey: unrouted.address })
  }

  /** It has been delivered in an attempt before, for this recipient or for another. */
  isDelivered(routed: Keyed): boolean {
    if (this.#done.size === 0) return false
    const { uniqueKey, ancestors, recipient } = routed
    if (this.#done.has(`\\0\\${uniqueKey}`)) return this.#addresses.has(uniqueKey)
    const itself = uniqueKey === uniqueAddress(recipient.address)
    if (itself) return false
    if (!this.#done.has(uniqueKey)) return false
    return !(ancestors.length > 0 && this.#done.has(becameOthers(uniqueKey)))
  }

  /** It has failed in an attempt before: once is enough. */
  isReported(
    unrouted: Omit<Keyed, 'uniqueKey'> & { readonly address: ByteString; readonly is: 'failed' | 'deferred' },
  ): boolean {
    const { address, ancestors, is } = unrouted
    if (ancestors.length > 0) return this.#done.has(this.unroutedKey(unrouted))
    // One that has to wait now waits, with what the rest of its list was to get.
    return is === 'failed' && this.#done.has(failedItself(address))
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
    const { address } = recipient
    const itself = key === address || key === uniqueAddress(address)
    const whole = keys === undefined || keys.size === 0
    // Remembered by itself: the recipient may wait for others, or `one_time` has put the descendant in its place.
    this.#mark(itself && !whole ? failedItself(address) : key)
    if (whole && itself) this.#mark(address)
    else if (whole) this.markRedirected(address)
    const place = placeOf({ recipient, key })
    const followers = this.#followers.get(place) ?? []
    this.#followers.delete(place)
    for (const one of followers) this.settle(one.recipient, one.key)
  }

  /** Recipients put in the place of others by `one_time`. */
  replace(recipients: readonly Recipient[]): void {
    this.#recipients = recipients
    this.#addresses = addressesOf(recipients)
  }

  /** The recipient is done, and was not delivered itself: where another leads to it as an address, that is still to be done. */
  markRedirected(address: ByteString): void {
    if (this.#done.has(address)) return
    this.#mark(address)
    if (this.#recipients.length > 1) this.#mark(becameOthers(address))
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

function addressesOf(recipients: readonly Recipient[]): ReadonlySet<ByteString> {
  return new Set(recipients.map(({ address }) => uniqueAddress(address)))
}
