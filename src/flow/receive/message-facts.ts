/** A message under reception with nothing known of it yet. */
import type { MessageFacts } from '../../ports.ts'
import { newControls } from '../message-controls.ts'

export interface NewMessage {
  readonly receivedAt: number
  readonly local: boolean
  readonly originator: MessageFacts['originator']
}

export function newMessage(known: NewMessage): MessageFacts {
  return {
    id: '',
    sender: undefined,
    rawSender: undefined,
    receivedLines: undefined,
    recipients: [],
    rcptCount: 0,
    rcptDeferCount: 0,
    rcptFailCount: 0,
    headers: [],
    headersAdded: [],
    body: { start: '', end: '' },
    bodySize: 0,
    bodyLines: 0,
    bodyZeros: 0,
    size: -1,
    maxReceivedLineLength: 0,
    receivedCount: 0,
    receivedAt: known.receivedAt,
    smtputf8: false,
    prdrRequested: false,
    body8bit: false,
    aclM: new Map(),
    controls: newControls(),
    receivedFor: undefined,
    firstDelivery: true,
    manuallyThawed: false,
    local: known.local,
    originator: known.originator,
    extra: new Map(),
  }
}
