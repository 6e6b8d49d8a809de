/** Makes addresses that are to be routed: recipients, children of a redirection, clones of `unseen`. */
import type { ByteString } from '../../base/text.ts'
import type { Recipient } from '../../mail/envelope.ts'
import { splitAddress } from '../../mail/address.ts'
import type { Candidate, RouterWork } from './types.ts'

/** A recipient as the message has it. */
export function topCandidate(recipient: Recipient): Candidate {
  const { localPart, domain } = splitAddress(recipient.address)
  const lower = domain.toLowerCase()
  return {
    address: domain === '' ? localPart : `${localPart}@${lower}`,
    localPart,
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
  }
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
}

/** An address that a router made from another. */
export function childCandidate(work: RouterWork, marks: ChildMarks): Candidate {
  const { candidate, facts } = work
  const domain = marks.domain.toLowerCase()
  return {
    address: domain === '' ? marks.localPart : `${marks.localPart}@${domain}`,
    localPart: marks.localPart,
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
    parentFacts: { localPart: facts.localPart, domain: facts.domain },
    originalFacts: candidate.originalFacts ?? { localPart: facts.localPart, domain: facts.domain },
    hidden: marks.hidden || candidate.hidden,
    oneTime: marks.oneTime || candidate.oneTime,
  }
}

/** The copy that goes on after a router with `unseen`: no header changes travel with it. */
export function unseenClone(candidate: Candidate): Candidate {
  return {
    ...candidate,
    takenBy: undefined,
    headersAdd: [],
    headersRemove: [],
    errorsTo: candidate.recipient.errorsTo,
  }
}

/** From the immediate parent up to the recipient. */
export function ancestorsOf(candidate: Candidate): ByteString[] {
  const list: ByteString[] = []
  for (let up = candidate.parent; up !== undefined; up = up.parent) list.push(up.address)
  return list
}
