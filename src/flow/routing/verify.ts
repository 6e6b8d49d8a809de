/** Verifying an address: routing it without delivering. Source: Exim manual, "Address verification". */
import type { ByteString, Text } from '../../base/text.ts'
import { parseAddress } from '../../mail/parse-address.ts'
import { parseCallout } from '../../policy/acl/verify/callout-options.ts'
import type { Context, VerifyRequest, VerifyResult } from '../../ports.ts'
import type { Callout } from '../callout-types.ts'
import { topCandidate } from './candidate.ts'
import { rewriteAddress } from './rewrite/rewrite-address.ts'
import { routeAddress, type Unrouted } from './route-address.ts'
import type { TakenAddress } from './finish.ts'
import { percentHacked, type RouteEngine } from './route-all.ts'
import type { Candidate } from './types.ts'

export function createVerify(
  engine: RouteEngine,
  callout: Callout | undefined,
): (request: VerifyRequest, context: Context) => Promise<VerifyResult> {
  return async (request, context) => {
    // The null reverse-path is always good: RFC 5321 section 4.5.5.
    if (request.kind === 'sender' && request.address === '') return { is: 'ok' }
    const options = request.options.map((option) => option.trim())
    const parsed = parseCallout(
      options,
      options.join('/'),
      request.ofHeader === true ? 'header' : request.kind,
    )
    if (parsed.is === 'wrong') return { is: 'defer', logMessage: parsed.message }
    if (parsed.is === 'options' && callout === undefined) {
      return { is: 'defer', logMessage: 'callout verification is not supported here' }
    }
    const call =
      parsed.is === 'none' || callout === undefined
        ? undefined
        : (target: TakenAddress, inner: Context) => callout(target, request.kind, parsed.options, inner)
    context.debug?.('verify', '>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>')
    context.debug?.('verify', `routing ${request.address}`)
    const result = await verifyByRouting(request, options, context, engine, call)
    context.debug?.('verify', '----------- end verify ------------')
    return result.is === 'defer' && options.includes('defer_ok') ? { ...result, is: 'ok' } : result
  }
}

/** The one address that a recipient leads to at a transport, as verification finds it; undefined: none, or several. */
export async function findTarget(
  address: ByteString,
  context: Context,
  engine: RouteEngine,
): Promise<TakenAddress | undefined> {
  let found: TakenAddress | undefined
  await verifyByRouting({ address, kind: 'recipient', options: [] }, [], context, engine, (target) => {
    found = target
    return Promise.resolve({ is: 'ok' })
  })
  return found
}

/** Redirections to one child are followed; with several the address is good. */
async function verifyByRouting(
  request: VerifyRequest,
  options: readonly string[],
  outer: Context,
  engine: RouteEngine,
  callout: ((target: TakenAddress, context: Context) => Promise<VerifyResult>) | undefined,
): Promise<VerifyResult> {
  const { kind } = request
  const purpose = kind === 'recipient' ? 'verify-recipient' : 'verify-sender'
  const context: Context = {
    ...outer,
    verifyMode: kind === 'recipient' ? 'R' : 'S',
    // While the sender is verified there is none: Exim manual, router option "senders".
    ...(kind === 'sender' && outer.message && { message: { ...outer.message, sender: '' } }),
  }
  let candidate: Candidate | undefined = topCandidate({ address: await rewritten(request, context) })
  for (let depth = 0; candidate !== undefined && depth <= depthLimit; depth++) {
    const hacked = await percentHacked(candidate, context)
    if (hacked.is === 'defer') return { is: 'defer', logMessage: hacked.message }
    candidate = hacked.candidate
    const run = await routeAddress(candidate, { ...engine, purpose, context })
    const { result } = run
    switch (result.is) {
      case 'taken':
        if (callout === undefined) return ok(result.address)
        return { ...ok(result.address), ...(await callout(result.address, outer)) }
      case 'discarded':
        return { is: 'ok', ...dataOf(candidate) }
      case 'failed':
      case 'deferred':
        return refused(result, candidate, kind)
      case 'redirected': {
        const only = result.children.length === 1 ? result.children[0] : undefined
        if (only === undefined || only.is === 'taken' || options.includes('success_on_redirect')) {
          return { is: 'ok', ...dataOf(candidate) }
        }
        candidate = only.candidate
      }
    }
  }
  return { is: 'defer', logMessage: 'too many redirections', userMessage: 'too many redirections' }
}

const depthLimit = 100

/** An address is rewritten before it is verified: Exim manual, "When does rewriting happen?". */
async function rewritten({ address, kind }: VerifyRequest, context: Context): Promise<ByteString> {
  const parsed = parseAddress(address, { allowUtf8Domains: true })
  const bare = parsed.is === 'address' ? parsed.address : address
  const { qualifyDomain, qualifyRecipient, configuration } = context.server
  const whole = bare.includes('@')
    ? bare
    : `${bare}@${kind === 'recipient' ? qualifyRecipient : qualifyDomain}`
  const place = kind === 'recipient' ? 'T' : 'F'
  if (configuration.rewrite.length === 0) return whole
  return (await rewriteAddress(whole, place, configuration.rewrite, context)).address
}

function ok({ candidate, facts }: TakenAddress): VerifyResult {
  return {
    is: 'ok',
    ...dataOf(candidate),
    localPartData: facts.localPartData,
    domainData: facts.domainData,
  }
}

function dataOf({ addressData }: Candidate): { readonly addressData: Text | undefined } {
  return { addressData }
}

function refused(result: Unrouted, candidate: Candidate, kind: 'recipient' | 'sender'): VerifyResult {
  return {
    is: result.is === 'failed' ? 'fail' : 'defer',
    userMessage: result.userMessage ?? result.message,
    logMessage: result.message,
    ...dataOf(candidate),
    failure: kind === 'recipient' || kind === 'sender' ? 'route' : undefined,
  }
}
