/** Makes addresses that are to be routed: recipients, children of a redirection, clones of `unseen`. */
import { asciiLower, type ByteString } from '../../base/text.ts'
import type { Recipient } from '../../mail/envelope.ts'
import { splitAddress, unquotedLocalPart } from '../../mail/address.ts'
import type { OneTime } from '../routed.ts'
import type { SettledEnvelope } from './assign.ts'
import type { Candidate, RouterWork } from './types.ts'

/** A recipient as the message has it. */
export function topCandidate(recipient: Recipient): Candidate {
  const { localPart, domain } = splitAddress(recipient.address)
  const lower = asciiLower(domain)
  return {
    address: recipient.address,
    uniqueKey: joined(localPart, lower),
    localPart: unquotedLocalPart(localPart),
    domain: lower,
    recipient,
    parent: undefined,
    takenBy: undefined,
    startAt: undefined,
    depth: 0,
    addressData: undefined,
    routerVariables: new Map(),
    selfHostname: undefined,
    errorsTo: recipient.errorsTo,
    headersAdd: [],
    headersRemove: [],
    parentFacts: undefined,
    originalFacts: undefined,
    hidden: false,
    oneTime: false,
    ignoreErrors: false,
  }
}

function joined(localPart: ByteString, domain: ByteString): ByteString {
  return domain === '' ? localPart : `${localPart}@${domain}`
}

export interface ChildMarks {
  readonly localPart: ByteString
  readonly domain: ByteString
  readonly startAt: string | undefined
  readonly errorsTo: ByteString | undefined
  readonly headersAdd: Candidate['headersAdd']
  readonly headersRemove: Candidate['headersRemove']
  readonly hidden: boolean
  readonly oneTime: boolean
  readonly ignoreErrors?: boolean
}

/** An address that a router made from another. */
export function childCandidate(work: RouterWork, marks: ChildMarks): Candidate {
  const { candidate, facts } = work
  const domain = asciiLower(marks.domain)
  return {
    address: joined(marks.localPart, marks.domain),
    uniqueKey: joined(marks.localPart, domain),
    localPart: unquotedLocalPart(marks.localPart),
    domain,
    recipient: candidate.recipient,
    parent: candidate,
    takenBy: undefined,
    startAt: marks.startAt,
    depth: candidate.depth + 1,
    addressData: candidate.addressData,
    routerVariables: candidate.routerVariables,
    selfHostname: candidate.selfHostname,
    errorsTo: marks.errorsTo,
    headersAdd: marks.headersAdd,
    headersRemove: marks.headersRemove,
    // With prefix and suffix: observed of Exim 4.96.
    parentFacts: {
      localPart: `${facts.prefix ?? ''}${facts.localPart}${facts.suffix ?? ''}`,
      domain: facts.domain,
    },
    originalFacts: candidate.originalFacts ?? {
      localPart: facts.originalLocalPart ?? facts.localPart,
      domain: facts.domain,
    },
    // Not that of the parent: observed of Exim 4.96.
    hidden: marks.hidden,
    oneTime: marks.oneTime || candidate.oneTime,
    ignoreErrors: marks.ignoreErrors === true || candidate.ignoreErrors,
  }
}

/** What `percent_hack_domains` makes of an address, as if it had been redirected. */
export function hackedCandidate(candidate: Candidate, localPart: ByteString, domain: ByteString): Candidate {
  const address = `${localPart}@${domain}`
  return { ...candidate, address, uniqueKey: address, localPart, domain, parent: candidate }
}

/**
 * `unseen` makes the address a parent with two children: itself as the router took it, and the copy returned here,
 * which goes on at `startAt`. No header changes travel with the copy, nor `hide_child_in_errmsg`; where its bounces go does. Observed of Exim 4.96.
 */
export function unseenClone(candidate: Candidate, startAt: string): Candidate {
  const parent = { ...candidate }
  candidate.parent = parent
  return goingOn(candidate, parent, startAt)
}

/** The address itself as a child of `parent`, beside the other children that a filter gave it. */
export function goingOn(
  candidate: Candidate,
  parent: Candidate,
  startAt: string,
  envelope: Partial<SettledEnvelope> = {},
): Candidate {
  return {
    ...candidate,
    parent,
    startAt,
    takenBy: undefined,
    headersAdd: [],
    headersRemove: [],
    hidden: false,
    ...envelope,
  }
}

/** Of what a `one_time` router made. */
export function oneTimeOf({ oneTime, errorsTo }: Candidate): { readonly oneTime?: OneTime } {
  return oneTime ? { oneTime: { errorsTo } } : {}
}

/** From the immediate parent up to the recipient. */
export function ancestorsOf(candidate: Candidate): ByteString[] {
  const list: ByteString[] = []
  for (let up = candidate.parent; up !== undefined; up = up.parent) list.push(up.address)
  return list
}
