/** Whether a message is for this user in person. Source: Exim manual, "Details of the personal condition". */
import { type ByteString, textOf } from '../../../../base/text.ts'
import { parseAddressList, splitAddress } from '../../../../mail/address.ts'
import { headerBody, headerHasName, headerName } from '../../../../mail/header.ts'
import type { AddressFacts, Context, MessageFacts } from '../../../../ports.ts'
import { listHeaders } from '../list-headers.ts'
import type { FilterWorld } from '../result.ts'

const robots = new Set(['server', 'daemon', 'root', 'listserv', 'majordomo'])

/** @param aliases further addresses of the user, expanded */
export async function isPersonal(aliases: readonly ByteString[], world: FilterWorld): Promise<boolean> {
  const { message } = world.context
  if (message === undefined || (message.sender ?? '') === '') return false
  if (isFromRobot(message)) return false
  const own = new Set([...(await ownAddresses(world)), ...aliases].map((address) => address.toLowerCase()))
  const isOwn = (address: ByteString): boolean => own.has(address.toLowerCase())
  if (!addressesIn('to', message).some(isOwn)) return false
  return !addressesIn('from', message).some((address) => isOwn(address) || isRobot(address))
}

function isFromRobot(message: MessageFacts): boolean {
  for (const header of message.headers) {
    if (header.type === '*') continue
    const name = headerName(header.text)?.toLowerCase() ?? ''
    if (listHeaders.has(name)) return true
    const body = headerBody(header).trim().toLowerCase()
    if (name === 'auto-submitted' && body !== 'no') return true
    if (name === 'precedence' && /bulk|list|junk/.test(body)) return true
  }
  return false
}

function isRobot(address: ByteString): boolean {
  const localPart = splitAddress(address).localPart.toLowerCase()
  return robots.has(localPart) || localPart.endsWith('-request') || localPart.startsWith('owner-')
}

function addressesIn(name: string, message: MessageFacts): ByteString[] {
  return message.headers
    .filter((header) => header.type !== '*' && headerHasName(header, name))
    .flatMap((header) => parseAddressList(headerBody(header)))
    .flatMap((one) => ('address' in one ? [one.address] : []))
}

/** With and without prefix and suffix, and each as it is rewritten. */
async function ownAddresses(world: FilterWorld): Promise<ByteString[]> {
  const { address } = world.context
  if (address === undefined) return []
  const plain = `${address.localPart}@${address.domain}`
  const whole = wholeAddress(address)
  const addresses = [plain, whole]
  for (const one of new Set(addresses)) addresses.push(await world.rewrite(one))
  return addresses
}

/** With prefix and suffix, as the message came for it. */
export function wholeAddress({ prefix = '', localPart, suffix = '', domain }: AddressFacts): ByteString {
  return `${prefix}${localPart}${suffix}@${domain}`
}

/** The sender of an answer when the filter names none. */
export function replyAddress(context: Context): ByteString {
  const headers = context.message?.headers ?? []
  const first = (name: string): ByteString | undefined => {
    const header = headers.find((one) => one.type !== '*' && headerHasName(one, name))
    return header === undefined ? undefined : headerBody(header).trim()
  }
  return textOf(first('reply-to') ?? first('from') ?? '')
}
