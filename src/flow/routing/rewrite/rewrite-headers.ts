/** Rewriting rules applied to address lists in headers. Source: Exim manual, "When does rewriting happen?"; RFC 5322 section 3.4. */
import type { ByteString } from '../../../base/text.ts'
import type { RewriteRule } from '../../../language/config/configuration.ts'
import type { Header } from '../../../mail/envelope.ts'
import { endOfAddress, parseAddress } from '../../../mail/parse-address.ts'
import type { Context } from '../../../ports.ts'
import { rewriteAddress, type RewritePlace } from './rewrite-address.ts'
import { encodePhrase } from './encode-phrase.ts'

export interface RewriteHeadersOptions {
  /** Rules to apply; left out: those of the rewrite section. */
  readonly rules?: readonly RewriteRule[]
  /** Addresses without a domain get one: a local message, or a host that may send them. */
  readonly qualify?: boolean
}

/** The flag for each header type; `Resent-` forms have the type of their plain one. */
const places: Readonly<Record<string, RewritePlace>> = { B: 'b', C: 'c', F: 'f', R: 'r', S: 's', T: 't' }

/** @returns the headers; a rewritten one follows its old form, which is kept with type `*` */
export async function rewriteHeaders(
  headers: readonly Header[],
  context: Context,
  options: RewriteHeadersOptions = {},
): Promise<readonly Header[]> {
  const rules = options.rules ?? context.server.configuration.rewrite
  if (rules.length === 0 && options.qualify !== true) return headers
  const result: Header[] = []
  for (const header of headers) {
    const place = places[header.type]
    const text =
      place === undefined ? undefined : await rewriteHeader(header.text, place, rules, context, options)
    if (text === undefined) result.push(header)
    else result.push({ type: '*', text: header.text }, { type: header.type, text })
  }
  return result
}

/** Longest physical line before an address goes to a line of its own: RFC 5322 section 2.1.1. */
const lineLimit = 78
const itemLimit = 10_000

/** Undefined: nothing changes. */
export async function rewriteHeader(
  text: ByteString,
  place: RewritePlace,
  rules: readonly RewriteRule[],
  context: Context,
  options: RewriteHeadersOptions = {},
): Promise<ByteString | undefined> {
  const writer = new HeaderWriter(text, text.indexOf(':') + 1)
  for (let count = 0; count < itemLimit && writer.findItem(); count++) {
    const parsed = parseAddress(writer.item, { allowUtf8Domains: true })
    if (parsed.is === 'error') {
      // What is no address stays; those beside it are rewritten.
      if (parsed.message !== 'empty address')
        context.ports.log.main(context.message?.id, `rewrite: ${parsed.message}`)
      writer.keep()
      // Exim takes all that follows for the route of this one.
      if (writer.item.startsWith('@')) break
      continue
    }
    let { address } = parsed
    if (parsed.domain === '') {
      // Without leave to qualify, an unqualified address is left as it is, rules and all.
      if (options.qualify !== true) {
        writer.keep()
        continue
      }
      address = `${address}@${place === 'f' || place === 's' || place === 'r' ? context.server.qualifyDomain : context.server.qualifyRecipient}`
    }
    const rewritten = await rewriteAddress(address, place, rules, context)
    if (rewritten.whole !== undefined) {
      writer.replace(0, writer.item.length, encodePhrase(rewritten.whole, context.settings.headers_charset))
    } else if (
      rewritten.address !== writer.item.slice(parsed.start, parsed.end) &&
      (rewritten.changed || parsed.domain === '')
    ) {
      writer.replace(parsed.start, parsed.end, rewritten.address)
    } else {
      writer.keep()
    }
  }
  return writer.finish()
}

/** Goes through the items of an address list and writes it anew. */
class HeaderWriter {
  /** The address at hand, without the blanks and the group marks around it. */
  item: ByteString = ''
  readonly #text: ByteString
  #at: number
  #end: number
  #written: ByteString
  #changed = false

  constructor(text: ByteString, start: number) {
    this.#text = text
    this.#at = start
    this.#end = start
    this.#written = text.slice(0, start)
  }

  /** Copies what stands between addresses; false at the end. */
  findItem(): boolean {
    const start = this.#end
    let at = start
    for (;;) {
      while (at < this.#text.length && /[\s,;]/.test(this.#text.charAt(at))) at++
      const group = /^(?:[^@<>,;:"(\\]|"(?:[^"\\]|\\.)*")*:/.exec(this.#text.slice(at, at + 1000))
      if (group === null) break
      at += group[0].length
    }
    this.#written += this.#text.slice(start, at)
    this.#at = at
    if (at >= this.#text.length) {
      this.#end = at
      return false
    }
    this.#end = endOfAddress(this.#text, at, false)
    this.item = this.#text.slice(at, this.#end).replace(/[\s;]+$/, '')
    this.#end = at + this.item.length
    return true
  }

  keep(): void {
    this.#written += this.item
  }

  replace(start: number, end: number, text: ByteString): void {
    const item = this.item.slice(0, start) + text + this.item.slice(end)
    const line = this.#written.slice(this.#written.lastIndexOf('\n') + 1)
    const fold =
      line.length + item.length > lineLimit &&
      /[,;:]\s+$/.test(line) &&
      this.#at > this.#text.indexOf(':') + 2
    this.#written += (fold ? '\n\t' : '') + item
    this.#changed = true
  }

  finish(): ByteString | undefined {
    return this.#changed ? this.#written + this.#text.slice(this.#end) : undefined
  }
}
