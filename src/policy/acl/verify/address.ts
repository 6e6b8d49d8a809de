/** `verify = sender` and `verify = recipient`: through the routers, by the verify port. */
import type { VerifyRequest, VerifyResult } from '../../../ports.ts'
import { isAllowed, placeNames, type Phases, withSender } from '../place.ts'
import { type AclCall, errorOf, type Tested, TRUE } from '../row.ts'
import { badOption } from './options.ts'
import type { VerifyArgument, VerifyRow } from './row.ts'

export const recipient: VerifyRow = {
  name: 'recipient',
  doc: 'The recipient of the RCPT command can be routed, and called out to if asked.',
  since: '0.1',
  tier: 'A',
  phases: { only: ['rcpt', 'prdr', 'vrfy'] },
  takesAddress: false,
  async run(call, argument) {
    const { address } = call.context
    const bad = badOption(argument.options, argument.text)
    if (bad !== undefined) return errorOf(bad)
    if (address === undefined) return errorOf(`cannot verify recipient in ACL for ${call.place}`)
    const local = address.casedLocalPart ?? address.localPart
    const result = await verifyNow(call, {
      address: `${local}@${address.domain}`,
      kind: 'recipient',
      options: argument.options,
    })
    if (result.addressData !== undefined) address.addressData = result.addressData
    if (result.localPartData !== undefined) address.localPartData = result.localPartData
    if (result.domainData !== undefined) address.domainData = result.domainData
    setFailure(call, 'recipient_verify_failure', result)
    return asTested(call, result, argument)
  },
}

export const sender: VerifyRow = {
  name: 'sender',
  doc: 'The sender of the message, or the address given, can be routed, and called out to if asked.',
  since: '0.1',
  tier: 'A',
  // Exim names the places where there is no sender; with an address of its own it may be verified anywhere.
  phases: 'all',
  takesAddress: true,
  async run(call, argument) {
    const bad = badOption(argument.options, argument.text)
    if (bad !== undefined) return errorOf(bad)
    const own = argument.value === undefined
    if (own && !isAllowed(senderPlaces, call.place)) {
      return errorOf(`cannot verify sender in ACL for ${placeNames[call.place]}`)
    }
    const { message, variables } = call.context
    const address = argument.value ?? message?.sender ?? ''
    // A bounce has nobody to be verified.
    if (address === '') return TRUE
    const key = `verified sender ${address}/${argument.options.join('/')}`
    const known = message?.extra.get(key)
    const result = isVerifyResult(known)
      ? known
      : await verifyNow(call, { address, kind: 'sender', options: argument.options })
    if (isVerifyResult(known)) call.context.debug?.('acl', 'using cached sender verify result')
    else if (result.is !== 'defer') message?.extra.set(key, result)
    if (result.addressData === undefined) variables.delete('sender_address_data')
    else variables.set('sender_address_data', result.addressData)
    setFailure(call, 'sender_verify_failure', result)
    return asTested(call, result, argument)
  },
}

const senderPlaces: Phases = withSender

function isVerifyResult(value: unknown): value is VerifyResult {
  return typeof value === 'object' && value !== null && 'is' in value
}

function verifyNow(call: AclCall, request: VerifyRequest): Promise<VerifyResult> {
  const { context } = call
  return context.ports.verify(request, { ...context, verifyMode: request.kind === 'sender' ? 'S' : 'R' })
}

function setFailure(call: AclCall, name: string, result: VerifyResult): void {
  if (result.failure === undefined || result.failure === '') call.context.variables.delete(name)
  else call.context.variables.set(name, result.failure)
}

function asTested(call: AclCall, result: VerifyResult, argument: VerifyArgument): Tested {
  const { userMessage, logMessage } = result
  if (result.is === 'ok') return { is: 'true' }
  if (result.is === 'defer' && argument.options.includes('defer_ok')) {
    call.context.debug?.('acl', 'verify defer overridden by defer_ok')
    return { is: 'true', verifyMessage: userMessage }
  }
  return { is: result.is === 'fail' ? 'false' : 'defer', userMessage, logMessage }
}
