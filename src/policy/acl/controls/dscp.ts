/** `control = dscp/VALUE`: traffic class of what is sent to the client. Source: Exim manual, "ACL controls". */
import { trafficOctet } from '../../../base/dscp.ts'
import { textOf } from '../../../base/text.ts'
import { type ControlRow, errorOf } from '../row.ts'

export const dscp: ControlRow = {
  name: 'dscp',
  doc: 'Marks the packets of the connection for quality of service.',
  since: '0.1',
  tier: 'C',
  phases: { except: ['notsmtp', 'notsmtp_start', 'notquit'] },
  takesOptions: true,
  apply(call, options) {
    const value = textOf(options)
    const octet = trafficOctet(value)
    if (octet === undefined) return errorOf(`unrecognised DSCP value in "control=dscp/${value}"`)
    const problem = call.context.connection?.dialogue?.markPackets(octet)
    if (problem !== undefined) call.context.debug?.('acl', `failed to set DSCP: ${problem}`)
    return undefined
  },
}
