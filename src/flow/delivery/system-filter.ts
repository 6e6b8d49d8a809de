/** What the system filter means for an attempt. Source: Exim manual, "System-wide message filtering"; lines as Exim 4.96 writes them. */
import type { ByteString } from '../../base/text.ts'
import type { Recipient } from '../../mail/envelope.ts'
import type { GeneratedAddresses, SystemFiltered } from '../routed.ts'
import type { Attempt } from './attempt.ts'

/** The parent of what a system filter sets up. */
export const systemRecipient = 'system-filter'

export interface AfterSystemFilter {
  /** `stop`: nothing is delivered now. */
  readonly is: 'go on' | 'stop'
  /** Whether the recipients of the message are routed. */
  readonly recipients: boolean
  readonly generated: GeneratedAddresses | undefined
}

const untouched: AfterSystemFilter = { is: 'go on', recipients: true, generated: undefined }

export async function applySystemFilter(attempt: Attempt): Promise<AfterSystemFilter> {
  const { context, deps } = attempt
  if (context.settings.system_filter === undefined || deps.systemFilter === undefined) return untouched
  const filtered = await deps.systemFilter(context)
  if (filtered.is === 'none') return untouched
  if (filtered.is === 'error') {
    context.ports.log.panic(attempt.claim.id, `Error in system filter: ${filtered.message}`)
    deferAll(attempt, `error in system filter: ${filtered.message}`)
    return { is: 'stop', recipients: false, generated: undefined }
  }
  await takeOver(attempt, filtered)
  const generated = filtered.generated.count === 0 ? undefined : filtered.generated
  if (filtered.is === 'done') {
    if (!filtered.significant) return { is: 'go on', recipients: true, generated }
    attempt.originalsIgnored = true
    attempt.log(
      generated === undefined
        ? '=> discarded (system filter)'
        : 'original recipients ignored (system filter)',
    )
    return { is: 'go on', recipients: false, generated }
  }
  refuse(attempt, filtered)
  return { is: 'go on', recipients: false, generated }
}

type Told = Exclude<SystemFiltered, { readonly is: 'none' } | { readonly is: 'error' }>

/** Headers as the filter left them, and its counters. */
async function takeOver(attempt: Attempt, { headers, counters }: Told): Promise<void> {
  const { context, claim } = attempt
  for (const [i, n] of counters.entries()) context.variables.set(`sn${i}`, String(n))
  if (headers === undefined) return
  if (context.message !== undefined) context.message.headers = headers
  await claim.record({ headers })
}

function refuse(attempt: Attempt, { is, text }: Extract<Told, { readonly text: ByteString }>): void {
  switch (is) {
    case 'fail': {
      const { log, bounce } = splitReason(text)
      attempt.log(`cancelled by system filter${log === '' ? '' : `: ${log}`}`)
      // Nobody is to be told of a bounce that was cancelled, and it is not frozen either: observed of Exim 4.96.
      const end = attempt.envelope.sender === '' ? drop : fail
      for (const recipient of attempt.marks.pending()) end(attempt, recipient, bounce)
      return
    }
    case 'defer':
      attempt.log('Delivery deferred by system filter')
      deferAll(attempt, text === '' ? 'deferred by system filter' : text)
      return
    case 'freeze':
      attempt.log(`Frozen by the system filter${text === '' ? '' : `: ${text}`}`, { event: 'frozen' })
      attempt.freezeTold = true
      attempt.freezeWanted ??= ''
      deferAll(attempt, text)
      return
  }
}

/** `<<for the log>>for the bounce`. */
function splitReason(text: ByteString): { readonly log: ByteString; readonly bounce: ByteString } {
  const match = /^<<(.*?)>>(.*)$/s.exec(text)
  return match === null ? { log: text, bounce: text } : { log: match[1] ?? '', bounce: match[2] ?? '' }
}

function drop(attempt: Attempt, recipient: Recipient): void {
  attempt.marks.expect(recipient, recipient.address)
  attempt.marks.settle(recipient, recipient.address)
}

function fail(attempt: Attempt, recipient: Recipient, message: ByteString): void {
  attempt.marks.expect(recipient, recipient.address)
  attempt.failed.push({
    address: recipient.address,
    recipient,
    ancestors: [],
    key: recipient.address,
    errorsTo: undefined,
    message,
    diagnostic: undefined,
    returnedOutput: undefined,
    hidden: false,
    ignoreErrors: false,
  })
}

/** Kept without a line of its own for each recipient. */
function deferAll(attempt: Attempt, message: ByteString): void {
  for (const recipient of attempt.marks.pending()) {
    attempt.deferred.push({
      address: recipient.address,
      recipient,
      ancestors: [],
      key: recipient.address,
      error: { errno: 0, more: 0, message },
      told: undefined,
      hidden: false,
      diagnostic: undefined,
      nextTryAt: undefined,
      freeze: false,
      errorsTo: undefined,
    })
  }
}
