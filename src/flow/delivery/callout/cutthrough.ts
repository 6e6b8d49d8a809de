/**
 * Cut-through delivery: recipients are named to the next host while the client names them, and the message is sent
 * over that connection before the client has its answer. Source: Exim manual, `control = cutthrough_delivery`.
 */
import { deliveredLine } from '../../../mail/delivery-lines.ts'
import { taint, type ByteString } from '../../../base/text.ts'
import type { CalloutOptions } from '../../../policy/acl/verify/callout-options.ts'
import type { Context } from '../../../ports.ts'
import type { Callout, CalloutTarget } from '../../callout-types.ts'
import type {
  CutthroughMessage,
  CutthroughRecipient,
  CutthroughResult,
  CutthroughService,
} from '../../cutthrough-types.ts'
import type { RoutedAddress } from '../../routed.ts'
import { headerSection } from '../copy.ts'
import type { DeliveryDeps } from '../deps.ts'
import { addressContext } from '../raise.ts'
import { message4xx, resumeTransaction, type TransactionResult } from '../transports/smtp-transaction.ts'
import { hostLine } from '../transports/smtp-words.ts'
import { type Held, heldOf, letGo } from './held.ts'
import { type CalloutSettings, calloutSettings } from './places.ts'

export interface CutthroughDeps extends Pick<DeliveryDeps, 'rewriteHeaders'> {
  readonly callout: Callout
  /** The one remote address that a recipient is routed to; undefined: there is none, or several. */
  target(address: ByteString, context: Context): Promise<CalloutTarget | undefined>
}

const asRecipient: CalloutOptions = {
  timeoutSeconds: 30,
  connectSeconds: 30,
  maxwaitSeconds: 120,
  deferOk: false,
  noCache: true,
  random: false,
  postmasterFrom: undefined,
  fullPostmaster: false,
  mailfrom: undefined,
  useSender: true,
  usePostmaster: false,
  hold: true,
}

export function createCutthrough(deps: CutthroughDeps): CutthroughService {
  return {
    recipient: (address, context) => addRecipient(address, context, deps),
    send: (message, context) => sendMessage(message, context, deps),
  }
}

async function addRecipient(
  address: ByteString,
  context: Context,
  deps: CutthroughDeps,
): Promise<CutthroughRecipient> {
  const { message } = context
  const mode = message?.controls.cutthrough
  if (message === undefined || mode === undefined) return { is: 'not possible' }
  const give = (why: string): CutthroughRecipient => {
    context.debug?.('verify', `cutthrough cancelled: ${why}`)
    letGo(message)
    message.controls.cutthrough = undefined
    return { is: 'not possible' }
  }
  const target = await deps.target(address, context)
  const settings = target === undefined ? undefined : calloutSettings(target.transport)
  if (target?.transport === undefined || settings === undefined)
    return give('not routed to an smtp transport')
  if (settings.protocol === 'lmtp') return give('LMTP answers for each recipient after the data')
  if (settings.transport_filter !== undefined) return give('the transport has a filter')
  if (settings.dkim_domain !== undefined) return give('the transport signs with DKIM')
  if (settings.arc_sign !== undefined) return give('the transport seals with ARC')
  const before = heldOf(message)
  if (before?.usable === true && before.targets.at(-1)?.address === target.address) return { is: 'ready' }
  if (before === undefined && message.recipients.length > 0)
    return give('an earlier recipient has no connection')
  const result = await deps.callout(target, 'recipient', asRecipient, { ...context, verifyMode: 'R' })
  const now = heldOf(message)
  if (result.is === 'ok') {
    const joined = now !== undefined && (before === undefined || before === now)
    return joined && now.targets.at(-1) === target ? { is: 'ready' } : give('another host for this recipient')
  }
  const reply = result.callout?.told?.response ?? result.userMessage ?? ''
  const logMessage = result.logMessage ?? reply
  if (result.is === 'fail') return { is: 'refused', temporary: false, reply, logMessage }
  return mode.defer === 'pass' ? { is: 'refused', temporary: true, reply, logMessage } : give(logMessage)
}

async function sendMessage(
  message: CutthroughMessage,
  context: Context,
  deps: CutthroughDeps,
): Promise<CutthroughResult> {
  const held = heldOf(context.message)
  const notPossible: CutthroughResult = { is: 'not possible' }
  const { envelope } = message
  if (held === undefined) return notPossible
  context.message?.extra.delete('held connection')
  const [first] = held.targets
  const settings = calloutSettings(first?.transport)
  const all = envelope.recipients.length === held.targets.length
  if (!held.usable || !all || first?.transport === undefined || settings === undefined) {
    held.close()
    return notPossible
  }
  const routed = held.targets as readonly RoutedAddress[]
  const within = addressContext(context, { ...first, transport: first.transport }, held.place)
  const head = await headerSection(
    {
      settings,
      headers: message.headers,
      addresses: routed,
      returnPath: envelope.sender,
      now: context.ports.now(),
      deps: deps.rewriteHeaders === undefined ? {} : { rewriteHeaders: deps.rewriteHeaders },
    },
    within,
  )
  if ('failure' in head) {
    held.close()
    return notPossible
  }
  held.connection.messages++
  const startedAt = context.ports.now()
  const request = requestOf(held, settings, message, `${head.text}\n`)
  // Also where the message cannot be read to its end: the host must not take what it has for the whole.
  const result = await resumeTransaction(held.connection.client, held.connection.offers, request).finally(
    () => held.close(),
  )
  return concluded(held, result, context, startedAt, envelope.receivedAt)
}

function requestOf(
  held: Held,
  settings: CalloutSettings,
  message: CutthroughMessage,
  head: ByteString,
): Parameters<typeof resumeTransaction>[2] {
  return {
    lmtp: false,
    pipelining: false,
    chunking: false,
    sender: held.sender,
    recipients: held.targets.map(({ address, recipient }) => ({ address, recipient })),
    sizeBytes: undefined,
    body8bit: false,
    smtputf8: false,
    ignoreQuota: false,
    dsnRet: undefined,
    dsnEnvid: undefined,
    head,
    body: () => message.read(),
    commandMs: settings.command_timeout * 1000,
    dataMs: settings.data_timeout * 1000,
    finalMs: settings.final_timeout * 1000,
    mark: 65,
  }
}

function concluded(
  held: Held,
  result: TransactionResult,
  context: Context,
  startedAt: number,
  receivedAt: number,
): CutthroughResult {
  const { ports } = context
  const delivered = result.is === 'done'
  const verdict = result.verdicts[0]
  const reply =
    result.is === 'done'
      ? verdict?.is === 'delivered'
        ? verdict.confirmation
        : ''
      : (result.reply ?? result.error.message ?? result.error.errorText ?? '')
  const recipients = held.targets.map((target) => {
    const line = deliveredLine(
      {
        flag: '>>',
        shown: target.address,
        original: undefined,
        sender: held.sender,
        returnPath: undefined,
        router: target.router.name,
        transport: held.transportName,
        sizeBytes: result.is === 'done' ? result.wireBytes : 0,
        host: hostLine(held.place, held.connection),
        confirmation: reply,
        queueMs: ports.now() - receivedAt,
        deliveryMs: ports.now() - startedAt,
      },
      (selector, port) => ports.log.selects(selector, port),
    )
    return { address: target.address, fields: line.slice(`>> ${target.address}`.length) }
  })
  const code = /^\d{3}/.exec(reply)?.[0]
  if (delivered) {
    tellDelivered(held, reply, context)
    return { is: 'accepted', code: 250, reply, recipients }
  }
  const permanent = result.permanent && code !== undefined
  return { is: permanent ? 'refused' : 'deferred', code: Number(code ?? message4xx), reply, recipients }
}

/** It has happened: what the actions say changes nothing, and the client does not wait for them. */
function tellDelivered(held: Held, reply: ByteString, context: Context): void {
  for (const target of held.targets as readonly RoutedAddress[]) {
    const within = addressContext(context, target, held.place)
    void context.ports.raise('msg:delivery', taint(reply, '$event_data'), within)
  }
}
