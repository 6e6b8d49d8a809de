/** `${proxy_tlv{0xNN}}`: any field of the PROXY header. Source: HAProxy, "The PROXY protocol", section 2.2. */
import { Failure } from '../../../base/outcome.ts'
import { taint, textOf } from '../../../base/text.ts'
import { plainItem } from './kinds.ts'

export const proxyTlv = plainItem({
  name: 'proxy_tlv',
  doc: 'The field of this type that the proxy put after the addresses, as it came; empty when there is none.',
  since: '0.1',
  manual: 'Expansion items',
  least: 1,
  most: 1,
  apply([argument = ''], { context }) {
    const text = textOf(argument).trim()
    const type = /^(?:0[xX][0-9a-fA-F]{1,2}|\d{1,3})$/.test(text) ? Number(text) : undefined
    if (type === undefined || type > 255) {
      return new Failure('failure', `"${text}" is not the type of a PROXY field (0x00 to 0xff)`)
    }
    return taint(context.connection?.proxy?.tlvs.get(type) ?? '', '${proxy_tlv')
  },
})
