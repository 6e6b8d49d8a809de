/** Headers in canonical form and which of them a signature covers. Source: RFC 6376 sections 3.4.1, 3.4.2 and 5.4.2. */
import { type ByteString, fromBytes, toBytes } from '../../../base/text.ts'
import type { Canonicalisation } from './body-hash.ts'

/** One header with LF line ends, its own last one included. */
export interface SignedHeader {
  readonly text: ByteString
  /** In lower case, without white space. */
  readonly name: ByteString
}

/** The headers of a message, by name, as a signature picks them. */
export class HeaderSet {
  readonly all: readonly SignedHeader[]
  /** Of all texts together. */
  readonly sizeBytes: number
  readonly #byName = new Map<ByteString, number[]>()
  /** Canonical forms, made when first wanted. */
  readonly #relaxed = new Map<number, ByteString>()

  constructor(texts: readonly ByteString[]) {
    this.all = texts.map((text) => ({ text, name: nameOf(text) }))
    this.sizeBytes = texts.reduce((sum, text) => sum + text.length, 0)
    for (const [i, { name }] of this.all.entries()) {
      const places = this.#byName.get(name)
      if (places === undefined) this.#byName.set(name, [i])
      else places.push(i)
    }
  }

  count(lowerName: ByteString): number {
    return this.#byName.get(lowerName)?.length ?? 0
  }

  /** Headers of a name, the topmost first. */
  named(lowerName: ByteString): readonly SignedHeader[] {
    const places = this.#byName.get(lowerName) ?? []
    // The places were made from this very list.
    return places.map((i) => this.all[i] as SignedHeader)
  }

  /**
   * What `h=` covers, canonical, each header ended by CRLF: of each name the last one first, then the one before it;
   * a name without a header left stands for nothing.
   */
  select(lowerNames: readonly ByteString[], canonicalisation: Canonicalisation): ByteString {
    const used = new Map<ByteString, number>()
    let text = ''
    for (const name of lowerNames) {
      const places = this.#byName.get(name)
      if (places === undefined) continue
      const already = used.get(name) ?? 0
      const place = places[places.length - 1 - already]
      if (place === undefined) continue
      used.set(name, already + 1)
      text += `${this.#canonical(place, canonicalisation)}\r\n`
    }
    return text
  }

  #canonical(place: number, canonicalisation: Canonicalisation): ByteString {
    const text = this.all[place]?.text ?? ''
    if (canonicalisation === 'simple') return simpleHeader(text)
    let relaxed = this.#relaxed.get(place)
    if (relaxed === undefined) {
      relaxed = relaxedHeader(text)
      this.#relaxed.set(place, relaxed)
    }
    return relaxed
  }
}

/** The header as it is on the wire, without its last line end. */
export function simpleHeader(text: ByteString): ByteString {
  const whole = text.endsWith('\n') ? text.slice(0, -1) : text
  return whole.includes('\n') ? whole.replaceAll('\n', '\r\n') : whole
}

/** Name in lower case, unfolded, white space made one, none at the ends. */
export function relaxedHeader(text: ByteString): ByteString {
  const colon = text.indexOf(':')
  const body = text.slice(colon + 1)
  return `${nameOf(text)}:${body.length > long ? collapsed(body) : body.replace(/[ \t\n]+/g, ' ').replace(/^ | $/g, '')}`
}

/** Beyond this a loop over bytes is many times quicker than the pattern, should each second byte be white space. */
const long = 4096

function collapsed(body: ByteString): ByteString {
  const bytes = toBytes(body)
  let out = 0
  let space = false
  for (let i = 0; i < bytes.length; i++) {
    // Within the bounds of the array.
    const byte = bytes[i] as number
    if (byte === 32 || byte === 9 || byte === 10) {
      space = true
      continue
    }
    if (space && out > 0) bytes[out++] = 32
    space = false
    bytes[out++] = byte
  }
  return fromBytes(bytes.subarray(0, out))
}

export function canonicalHeader(text: ByteString, canonicalisation: Canonicalisation): ByteString {
  return canonicalisation === 'simple' ? simpleHeader(text) : relaxedHeader(text)
}

function nameOf(text: ByteString): ByteString {
  const colon = text.indexOf(':')
  return text
    .slice(0, colon < 0 ? text.length : colon)
    .trimEnd()
    .toLowerCase()
}
