/** The DKIM signatures of a message that has come whole: checked, logged, shown to the DKIM ACL. */
import { Failure } from '../../base/outcome.ts'
import { type ByteString, textOf } from '../../base/text.ts'
import { type DkimFacts, type DkimSignature, dkimSigners, keepDkim } from '../../mail/dkim-facts.ts'
import { checksOf } from '../../policy/msgauth/content-checks.ts'
import { logKeyTrouble, logSignature } from '../../policy/msgauth/dkim/log.ts'
import type { AclResult, Context, Trace } from '../../ports.ts'
import { runAclOption } from './acl.ts'

/** Runs of the DKIM ACL for one message; the list of signers may come from the message. */
const mostRuns = 200

/**
 * Checks the signatures and runs `acl_smtp_dkim` for each signer.
 * @returns what the ACL said when it did not accept
 * Source: Exim manual, "Verifying DKIM signatures in incoming mail".
 */
export async function checkDkim(context: Context): Promise<AclResult | undefined> {
  const { message } = context
  const step = context.trace?.begin('verify', 'DKIM: are the signatures good?')
  const facts = await checksOf(message)?.dkim(context)
  if (step !== undefined) tellSignatures(facts, step)
  if (message === undefined || facts === undefined) return undefined
  keepDkim(message, facts)
  logKeyTrouble(facts.signatures, context)
  if (facts.ignored > 0) {
    context.ports.log.main(message.id, `DKIM: ${facts.ignored} further signatures not looked at`, {
      event: 'dkim:ignored',
    })
  }
  const acl = context.settings.acl_smtp_dkim
  if (acl === undefined) {
    for (const signature of facts.signatures) logSignature(signature, context)
    return undefined
  }
  const signers = await signersOf(facts, context)
  if (!Array.isArray(signers)) return signers
  const asked = new Set<DkimSignature>()
  facts.asked = asked
  let runs = 0
  for (const signer of signers) {
    for (const signature of signaturesOf(facts, signer)) {
      if (++runs > mostRuns)
        return { verdict: 'defer', userMessage: undefined, logMessage: 'too many DKIM signers' }
      if (signature !== undefined) asked.add(signature)
      const refused = await runFor(signer, signature, facts, context)
      if (refused !== undefined) return refused
    }
  }
  return undefined
}

function tellSignatures(facts: DkimFacts | undefined, step: Trace): void {
  for (const { domain, selector, status, reason } of facts?.signatures ?? []) {
    step.begin('verify', `signature d=${domain} s=${selector}`).end(`${status}: ${reason}`)
  }
  step.end(facts === undefined ? 'not checked' : `${facts.signatures.length} looked at`)
}

/** `dkim_verify_signers`, each once. */
async function signersOf(facts: DkimFacts, context: Context): Promise<ByteString[] | AclResult> {
  const option = context.settings.dkim_verify_signers
  if (option === undefined) return [...new Set(dkimSigners(facts))]
  const text = await context.ports.expand(option, context)
  if (text instanceof Failure) {
    if (text.kind === 'forced') return []
    return {
      verdict: 'error',
      userMessage: undefined,
      logMessage: `expansion of dkim_verify_signers option failed: ${text.message}`,
    }
  }
  const items = context.ports.splitList(text).map(textOf)
  return [...new Set(items.filter((item) => item !== ''))]
}

/** Signatures of a domain or an identity; one run without any when there is none. */
function signaturesOf(facts: DkimFacts, signer: ByteString): readonly (DkimSignature | undefined)[] {
  const wanted = signer.toLowerCase()
  const found = facts.signatures.filter(
    ({ domain, identity }) => (wanted.includes('@') ? identity.toLowerCase() : domain) === wanted,
  )
  return found.length > 0 ? found : [undefined]
}

async function runFor(
  signer: ByteString,
  signature: DkimSignature | undefined,
  facts: DkimFacts,
  context: Context,
): Promise<AclResult | undefined> {
  const run = {
    signer,
    signature,
    status: signature?.status ?? 'none',
    reason: signature?.reason ?? '',
  }
  facts.run = run
  facts.running = true
  const result = await runAclOption(context.settings.acl_smtp_dkim, 'dkim', context)
  facts.running = false
  if (signature !== undefined) logSignature(signature, context)
  facts.statuses.push(run.status)
  return result === undefined || result.verdict === 'accept' ? undefined : result
}
