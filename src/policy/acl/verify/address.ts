/** `verify = sender` and `verify = recipient`: through the routers, by the verify port. */
import { withoutQuery } from '../../../base/outcome.ts'
import type { VerifyRequest, VerifyResult } from '../../../ports.ts'
import { isAllowed, placeNames, type Phases, withSender } from '../place.ts'
import { type AclCall, errorOf, type Tested, TRUE } from '../row.ts'
import { type FailedSender, failedSenderKey, failedSenderOf } from './failed-sender.ts'
import { badOption } from './options.ts'
import type { VerifyArgument, VerifyRow } from './row.ts'

export const recipient: VerifyRow = {
  name: 'recipient',
  doc: 'The recipient of the RCPT command can be routed, and called out to if asked.',
  since: '0.1',
  tier: 'A',
  phases: { only: ['rcpt', 'prdr'] },
  takesAddress: false,
  async run(call, argument) {
    const { address } = call.context
    const bad = badOption(argument.options, argument.text, 'recipient')
    if (bad !== undefined) return errorOf(bad)
    if (address === undefined) return errorOf(`cannot verify recipient in ACL for ${placeNames[call.place]}`)
    const local = address.casedLocalPart ?? address.localPart
    const result = await verifyNow(call, {
      address: address.whole ?? `${local}@${address.domain}`,
      kind: 'recipient',
      options: argument.options,
    })
    if (result.addressData !== undefined) address.addressData = result.addressData
    if (result.localPartData !== undefined) address.localPartData = result.localPartData
    if (result.domainData !== undefined) address.domainData = result.domainData
    setFailure(call, 'recipient_verify_failure', result)
    return { ...asTested(call, result, argument), replaces: true }
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
    const bad = badOption(argument.options, argument.text, 'sender')
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
    if (isVerifyResult(known)) {
      const why = known.logMessage ?? known.userMessage
      const told = why === undefined ? known.is : `${known.is}: ${why}`
      call.context.trace?.note('verify', `sender ${address}, as found before`, told)
      call.context.debug?.('acl', 'using cached sender verify result')
    }
    // A callout has a cache of its own, and what it said may change.
    else if (result.is === 'ok' || !argument.options.some((option) => option.startsWith('callout'))) {
      message?.extra.set(key, result)
    }
    noteFailure(call, address, result, argument)
    if (result.addressData === undefined) variables.delete('sender_address_data')
    else variables.set('sender_address_data', result.addressData)
    setFailure(call, 'sender_verify_failure', result)
    return asSender(call, result, argument)
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

/** The details stand in lines of their own; the statement says only that it failed. */
function asSender(call: AclCall, result: VerifyResult, argument: VerifyArgument): Tested {
  const told = asTested(call, result, argument)
  if (told.is === 'false') {
    return { is: 'false', userMessage: 'Sender verify failed', logMessage: 'Sender verify failed' }
  }
  if (told.is === 'true') return TRUE
  if (told.is !== 'defer') return told
  const text = `Could not complete sender verify${result.callout === undefined ? '' : ' callout'}`
  const isTold = result.callout !== undefined || call.context.settings.smtp_return_error_details
  return { is: 'defer', userMessage: isTold ? text : undefined, logMessage: text }
}

/** Kept with the message for the refusal that follows. Source: Exim manual, "Sender address verification reporting". */
function noteFailure(call: AclCall, address: string, result: VerifyResult, argument: VerifyArgument): void {
  const { message } = call.context
  if (message === undefined || result.is === 'ok' || argument.options.includes('no_details')) return
  const before = failedSenderOf(message)
  // One that is known and has been told of is not told again.
  if (before !== undefined && before.result === result) return
  message.extra.set(failedSenderKey, { address, result, logged: false, told: false } satisfies FailedSender)
}

function asTested(call: AclCall, result: VerifyResult, argument: VerifyArgument): Tested {
  const { userMessage } = result
  const logMessage = result.logMessage === undefined ? undefined : withoutQuery(result.logMessage)
  const deferOk = argument.options.includes('defer_ok')
  if (result.is === 'ok') return deferOk ? { is: 'true', verifyMessage: userMessage ?? logMessage } : TRUE
  if (result.is === 'defer' && deferOk) {
    call.context.debug?.('acl', 'verify defer overridden by defer_ok')
    return { is: 'true', verifyMessage: userMessage ?? logMessage }
  }
  return { is: result.is === 'fail' ? 'false' : 'defer', userMessage, logMessage }
}
