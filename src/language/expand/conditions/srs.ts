import { asciiLower, retaint, textOf } from '../../../base/text.ts'
import { quotedLocalPart } from '../../../mail/address.ts'
import { srsHash, srsStamp } from '../items/srs.ts'
import { stringCondition } from './kinds.ts'

const base32 = 'abcdefghijklmnopqrstuvwxyz234567'
/** How many days after its making an address counts. */
const validDays = 10

function dayOf(stamp: string): number {
  return base32.indexOf(stamp.charAt(0).toLowerCase()) * 32 + base32.indexOf(stamp.charAt(1).toLowerCase())
}

/** Source: Exim manual, "SRS (Sender Rewriting Scheme)". */
export const inboundSrs = stringCondition({
  name: 'inbound_srs',
  doc: 'True when the local part is one that srs_encode made; sets $srs_recipient.',
  since: '0.1',
  manual: 'Expansion conditions',
  count: 2,
  test([localPart = '', secret = ''], environment) {
    const match = /^SRS0=([0-9a-f]{4})=([a-z2-7]{2})=([^=]*)=([\s\S]*)$/i.exec(textOf(localPart))
    if (match === null) return false
    const [, hash = '', stamp = '', domain = '', local = ''] = match
    // In lower case, and with the quotes that $local_part has lost: observed of Exim 4.96.
    const recipient = asciiLower(`${quotedLocalPart(local)}@${domain}`)
    environment.context.variables.set('srs_recipient', retaint(recipient, localPart))
    // Without a secret only the form is tested.
    if (textOf(secret) === '') return true
    const age = (dayOf(srsStamp(environment.context.ports.now())) - dayOf(stamp) + 1024) % 1024
    return age <= validDays && srsHash(textOf(secret), recipient) === hash
  },
})
