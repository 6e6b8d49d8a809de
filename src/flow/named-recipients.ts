/** Whom an option such as `freeze_tell` names. What is no address gets nothing: the log says so in Exim's words. */
import type { ByteString } from '../base/text.ts'
import { parseAddressList } from '../mail/address.ts'
import type { Context } from '../ports.ts'

/** @param about the message that they are told of; without a domain they are qualified when the report comes in */
export function namedRecipients(list: ByteString, about: string, { log }: Context['ports']): ByteString[] {
  return parseAddressList(list).flatMap((one) => {
    if ('address' in one) return [one.address]
    const problem = `at least one malformed recipient address: ${one.text} - ${one.error}`
    log.main(about, `Error while reading message with no usable sender address (R=${about}): ${problem}`)
    return []
  })
}
