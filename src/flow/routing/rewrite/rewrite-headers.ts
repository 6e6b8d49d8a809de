/** Rewriting rules applied to address lists in headers. Source: Exim manual, "When does rewriting happen?"; RFC 5322 section 3.4. */
import type { ByteString } from '../../../base/text.ts'
import type { RewriteRule } from '../../../language/config/configuration.ts'
import type { Header } from '../../../mail/envelope.ts'
import { HeaderWriter } from '../../../mail/header-writer.ts'
import { parseAddress } from '../../../mail/parse-address.ts'
import type { Context } from '../../../ports.ts'
import { rewriteAddress, type RewritePlace } from './rewrite-address.ts'
import { encodePhrase } from './encode-phrase.ts'

export interface RewriteHeadersOptions {
  /** Rules to apply; left out: those of the rewrite section. */
  readonly rules?: readonly RewriteRule[]
  /** Addresses without a domain get one: a local message, or a host that may send them. */
  readonly qualify?: boolean | { readonly senders: boolean; readonly recipients: boolean }
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
  if (rules.length === 0 && (options.qualify ?? false) === false) return headers
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
    const parsed = parseAddress(writer.item, {
      allowUtf8Domains: true,
      stripAngleBrackets: context.settings.strip_excess_angle_brackets,
    })
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
      const ofSender = place === 'f' || place === 's' || place === 'r'
      // Without leave to qualify, an unqualified address is left as it is, rules and all.
      if (!mayQualify(options.qualify, ofSender)) {
        writer.keep()
        continue
      }
      address = `${address}@${ofSender ? context.server.qualifyDomain : context.server.qualifyRecipient}`
    }
    const rewritten = await rewriteAddress(address, place, rules, context)
    if (rewritten.whole !== undefined) {
      writer.replace(
        0,
        writer.item.length,
        encodePhrase(rewritten.whole, context.settings.headers_charset),
        false,
      )
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

function mayQualify(qualify: RewriteHeadersOptions['qualify'], ofSender: boolean): boolean {
  if (typeof qualify !== 'object') return qualify === true
  return ofSender ? qualify.senders : qualify.recipients
}
