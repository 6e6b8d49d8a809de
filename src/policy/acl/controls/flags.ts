/** Controls that set a flag of the connection or of the message under reception. */
import { asciiLower } from '../../../base/text.ts'
import type { MessageControls } from '../../../ports.ts'
import type { Phases } from '../place.ts'
import type { AclCall, ControlRow } from '../row.ts'

type Flag = {
  [K in keyof MessageControls]-?: MessageControls[K] extends boolean ? K : never
}[keyof MessageControls]

const overSmtp: Phases = { except: ['notsmtp', 'notsmtp_start'] }

function flag(
  name: string,
  doc: string,
  set: Readonly<Partial<Record<Flag, boolean>>>,
  phases: Phases,
  tier: 'A' | 'B' = 'A',
): ControlRow {
  return {
    name,
    doc,
    since: '0.1',
    tier,
    phases,
    takesOptions: false,
    apply(call) {
      setFlags(call, set)
      return undefined
    },
  }
}

/** Sets flags on the message's controls. */
export function setFlags(call: AclCall, flags: Readonly<Partial<MessageControls>>): void {
  const controls = call.context.message?.controls
  if (controls !== undefined) Object.assign(controls, flags)
}

export const flagControls: readonly ControlRow[] = [
  flag(
    'allow_auth_unadvertised',
    'The client may use AUTH although it was not offered.',
    { allowAuthUnadvertised: true },
    { only: ['connect', 'helo'] },
  ),
  flag(
    'dkim_disable_verify',
    'DKIM signatures of the message are not checked.',
    { dkimDisableVerify: true },
    { except: ['data', 'notsmtp', 'prdr', 'notsmtp_start'] },
  ),
  flag(
    'dmarc_disable_verify',
    'The message is not checked for DMARC.',
    { dmarcDisableVerify: true },
    { except: ['data', 'notsmtp', 'notsmtp_start'] },
  ),
  flag(
    'dmarc_enable_forensic',
    'A DMARC failure of the message may be reported to its domain.',
    { dmarcEnableForensic: true },
    { except: ['data', 'notsmtp', 'notsmtp_start'] },
  ),
  flag(
    // The text of 2014 spells it both ways.
    'dmarc_forensic_enable',
    'Another spelling of dmarc_enable_forensic.',
    { dmarcEnableForensic: true },
    { except: ['data', 'notsmtp', 'notsmtp_start'] },
  ),
  flag('enforce_sync', 'A client that talks before its turn is refused.', { enforceSync: true }, overSmtp),
  flag('no_callout_flush', 'Replies wait while a callout is made.', { noCalloutFlush: true }, overSmtp, 'B'),
  flag('no_delay_flush', 'Replies wait while a delay lasts.', { noDelayFlush: true }, overSmtp),
  flag('no_enforce_sync', 'A client may talk before its turn.', { enforceSync: false }, overSmtp),
  flag(
    'no_mbox_unspool',
    'Copies of the message for content scanners are kept.',
    { noMboxUnspool: true },
    { only: ['mail', 'rcpt', 'predata', 'data', 'prdr', 'mime'] },
    'B',
  ),
  flag('no_multiline_responses', 'Refusals are sent as one line.', { noMultilineResponses: true }, overSmtp),
  flag('no_pipelining', 'PIPELINING is not offered.', { disablePipelining: true }, overSmtp),
  flag(
    'suppress_local_fixups',
    'Headers of a local submission are left as they are.',
    { suppressLocalFixups: true },
    { only: ['mail', 'rcpt', 'predata', 'notsmtp_start'] },
  ),
]

/** Restores or lowers the case of the recipient's local part for the rest of the ACL. */
function casing(name: string, doc: string, caseful: boolean): ControlRow {
  return {
    name,
    doc,
    since: '0.1',
    tier: 'A',
    phases: { only: ['rcpt'] },
    takesOptions: false,
    apply(call) {
      const { address } = call.context
      if (address === undefined) return undefined
      const cased = address.casedLocalPart ?? address.localPart
      address.localPart = caseful ? cased : asciiLower(cased)
      return undefined
    },
  }
}

export const caseControls: readonly ControlRow[] = [
  casing('caseful_local_part', '$local_part has the case in which the client wrote it.', true),
  casing('caselower_local_part', '$local_part is in lower case again.', false),
]
