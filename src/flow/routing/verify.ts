/** Verifying an address: routing it without delivering. Source: Exim manual, "Address verification". */
import type { ByteString, Text } from '../../base/text.ts'
import { parseAddress } from '../../mail/parse-address.ts'
import { type CalloutParsed, parseCallout } from '../../policy/acl/verify/callout-options.ts'
import { parseQuota, type QuotaParsed } from '../../policy/acl/verify/quota-options.ts'
import type { Context, VerifyRequest, VerifyResult } from '../../ports.ts'
import type { Callout, QuotaCheck } from '../callout-types.ts'
import { topCandidate } from './candidate.ts'
import { rewriteAddress } from './rewrite/rewrite-address.ts'
import { routeAddress, type Unrouted } from './route-address.ts'
import type { TakenAddress } from './finish.ts'
import { percentHacked, type RouteEngine } from './route-all.ts'
import type { Candidate } from './types.ts'

/** Who looks further than the routers. */
export interface VerifyHelpers {
  readonly callout?: Callout
  readonly quota?: QuotaCheck
}

type Further = (target: TakenAddress, context: Context) => Promise<VerifyResult>

export function createVerify(
  engine: RouteEngine,
  helpers: VerifyHelpers,
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
    const further = furtherOf(request, options, parsed, helpers)
    if (typeof further === 'string') return { is: 'defer', logMessage: further }
    context.debug?.('verify', '>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>')
    context.debug?.('verify', `routing ${request.address}`)
    const result = await verifyByRouting(request, options, context, engine, further)
    context.debug?.('verify', '----------- end verify ------------')
    return result.is === 'defer' && options.includes('defer_ok') ? { ...result, is: 'ok' } : result
  }
}

/** What follows the routers: the host is asked, or the mailbox looked at; the sentence when that cannot be. */
function furtherOf(
  { kind }: VerifyRequest,
  options: readonly string[],
  called: Exclude<CalloutParsed, { is: 'wrong' }>,
  { callout, quota }: VerifyHelpers,
): Further | undefined | string {
  const looked: QuotaParsed = kind === 'recipient' ? parseQuota(options, options.join('/')) : { is: 'none' }
  if (looked.is === 'wrong') return looked.message
  if (called.is === 'options' && callout === undefined) return 'callout verification is not supported here'
  if (looked.is === 'options' && quota === undefined) return 'quota verification is not supported here'
  if (called.is === 'none' && looked.is === 'none') return undefined
  return async (target, context) => {
    const room =
      looked.is === 'options' && quota !== undefined
        ? await quota(target, looked.options, context)
        : undefined
    if (room !== undefined && room.is !== 'ok') return room
    return called.is === 'options' && callout !== undefined
      ? callout(target, kind, called.options, context)
      : { is: 'ok' }
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
  further: Further | undefined,
): Promise<VerifyResult> {
  const { kind } = request
  const purpose = kind === 'recipient' ? 'verify-recipient' : 'verify-sender'
  const context: Context = {
    ...outer,
    verifyMode: kind === 'recipient' ? 'R' : 'S',
    // While the sender is verified there is none: Exim manual, router option "senders".
    message: kind === 'sender' && outer.message ? { ...outer.message, sender: '' } : outer.message,
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
        if (further === undefined) return ok(result.address)
        return { ...ok(result.address), ...(await further(result.address, outer)) }
      case 'discarded':
        return { is: 'ok', ...dataOf(candidate) }
      case 'failed':
      case 'deferred':
        return refused(result, candidate, kind, context)
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

function refused(
  result: Unrouted,
  candidate: Candidate,
  kind: 'recipient' | 'sender',
  { settings }: Context,
): VerifyResult {
  // What is wrong here for the moment is no business of a stranger's: it may name files and databases.
  const told = result.is === 'failed' || settings.smtp_return_error_details
  return {
    is: result.is === 'failed' ? 'fail' : 'defer',
    userMessage: result.userMessage ?? (told ? result.message : undefined),
    logMessage: result.message,
    ...dataOf(candidate),
    failure: kind === 'recipient' || kind === 'sender' ? 'route' : undefined,
  }
}
