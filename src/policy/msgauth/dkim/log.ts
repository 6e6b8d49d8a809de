/** `DKIM:` lines of the main log, in Exim's form. Source: Exim manual, "DKIM"; words observed of Exim 4.96. */
import type { ByteString } from '../../../base/text.ts'
import { type DkimSignature, overridden } from '../../../mail/dkim-facts.ts'
import { printable } from '../../../mail/log-lines.ts'
import type { Context } from '../../../ports.ts'

/** Longest domain, selector or identity shown: a log line is for reading. */
const longest = 255

/** A key that could not be had, whatever is selected; Exim says so before anything else about the message. */
export function logKeyTrouble(signatures: readonly DkimSignature[], context: Context): void {
  for (const { foundReason, writtenDomain, selector } of signatures) {
    if (foundReason !== 'pubkey_unavailable' && foundReason !== 'pubkey_syntax') continue
    context.ports.log.main(
      context.message?.id,
      `DKIM: d=${shown(writtenDomain)} s=${shown(selector)} [failed key import]`,
      { event: 'dkim:key', domain: writtenDomain, selector },
    )
  }
}

/** One signature, under `dkim_verbose`. */
export function logSignature(signature: DkimSignature, context: Context): void {
  const { log } = context.ports
  const text = signatureLine(signature)
  context.debug?.('acl', text)
  context.ports.count?.('dkim_results_total', signature.status)
  if (!log.selects('dkim_verbose')) return
  log.main(context.message?.id, text, {
    event: 'dkim:result',
    domain: signature.domain,
    selector: signature.selector,
    result: signature.verified,
    status: signature.status,
    coversFrom: signature.coversFrom,
  })
}

export function signatureLine(signature: DkimSignature): ByteString {
  const { identity, created, expires, bodyLength } = signature
  let text = `DKIM: d=${shown(signature.writtenDomain)} s=${shown(signature.selector)}`
  text += ` c=${signature.canonHeaders}/${signature.canonBody} a=${shown(signature.algorithm)} b=${signature.signatureBits}`
  if (identity !== '') text += ` i=${shown(identity)}`
  if (created > 0) text += ` t=${created}`
  if (expires > 0) text += ` x=${expires}`
  if (bodyLength >= 0) text += ` l=${bodyLength}`
  return `${text} [${outcome(signature)}]`
}

function outcome(signature: DkimSignature): ByteString {
  if (overridden(signature)) return printable(`${signature.status} - ${signature.reason}`)
  switch (signature.found) {
    case 'pass':
      return 'verification succeeded'
    case 'fail':
      return `verification failed - ${signature.detail}`
    default:
      return `invalid - ${signature.detail}`
  }
}

function shown(text: ByteString): ByteString {
  return text === '' ? '<UNSET>' : printable(text.slice(0, longest))
}
