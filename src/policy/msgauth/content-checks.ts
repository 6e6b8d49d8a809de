/**
 * What is computed of a message's body while it streams in, for DKIM and ARC: one pass, however many signatures there are.
 * Lives in the message's `extra`, where conditions and reception find it.
 */
import type { ByteString } from '../../base/text.ts'
import type { ArcFacts } from '../../mail/arc-facts.ts'
import type { DkimFacts } from '../../mail/dkim-facts.ts'
import { splitHeaders } from '../../mail/header.ts'
import type { Context, MessageFacts } from '../../ports.ts'
import { ArcVerifier } from './arc/verifier.ts'
import { BodyHashes } from './dkim/body-hash.ts'
import { HeaderSet } from './dkim/headers.ts'
import { DkimVerifier } from './dkim/verifier.ts'

const KEY = 'content checks'

export class ContentChecks {
  readonly #hashes = new BodyHashes()
  readonly #dkim: DkimVerifier | undefined
  readonly #arc: ArcVerifier
  #arcFacts: Promise<ArcFacts> | undefined
  #over = false

  /** @param headerText the header section as it came in, LF line ends */
  constructor(headerText: ByteString, context: Context) {
    // Most work is spared where nothing is signed.
    const signed = /^(?:dkim-signature|arc-[a-z-]+)[ \t]*:/im.test(headerText)
    const headers = new HeaderSet(signed ? splitHeaders(headerText).map(({ text }) => text) : [])
    const { settings, message, ports } = context
    const fewestBits = keySizes(settings.dkim_verify_min_keysizes)
    this.#arc = new ArcVerifier(headers, this.#hashes, fewestBits, ports.now())
    if (message?.controls.dkimDisableVerify === true) return
    const options = {
      hashes: settings.dkim_verify_hashes.map((name) => name.toLowerCase()),
      keyTypes: settings.dkim_verify_keytypes.map((name) => name.toLowerCase()),
      fewestBits,
      minimal: settings.dkim_verify_minimal,
    }
    this.#dkim = new DkimVerifier(headers, this.#hashes, options, ports.now())
  }

  /** A piece of the body. `bare`: offsets just after line ends that stood alone on the wire. */
  body(bytes: Uint8Array, bare: readonly number[]): void {
    this.#hashes.push(bytes, bare)
  }

  /** The body is complete. */
  end(): void {
    if (this.#over) return
    this.#over = true
    this.#hashes.finish()
  }

  /** Checked when first asked for. */
  arc(context: Context): Promise<ArcFacts> {
    this.end()
    this.#arcFacts ??= this.#arc.finish(context.ports)
    return this.#arcFacts
  }

  /** Undefined: DKIM is not to be checked. */
  async dkim(context: Context): Promise<DkimFacts | undefined> {
    this.end()
    return this.#dkim?.finish(context.ports)
  }
}

/** The header section of a message is there: undefined when nothing of it is to be checked. */
export function beginChecks(headerText: ByteString, context: Context): ContentChecks | undefined {
  const { message } = context
  if (message === undefined) return undefined
  const checks = new ContentChecks(headerText, context)
  message.extra.set(KEY, checks)
  return checks
}

export function checksOf(message: Pick<MessageFacts, 'extra'> | undefined): ContentChecks | undefined {
  const checks = message?.extra.get(KEY)
  return checks instanceof ContentChecks ? checks : undefined
}

/** `rsa=1024 ed25519=250`. Source: Exim manual, `dkim_verify_min_keysizes`. */
export function keySizes(text: string): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>()
  for (const [, type = '', bits = ''] of text.matchAll(/([^\s=]+)\s*=\s*(\d+)/g)) {
    sizes.set(type.toLowerCase(), Number(bits))
  }
  return sizes
}
