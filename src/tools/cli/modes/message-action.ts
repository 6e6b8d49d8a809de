/** The -M flags that change or deliver messages of the queue. Source: Exim manual, "-M" to "-Mt". */
import { isMessageId } from '../../../base/message-id.ts'
import { type ByteString, encodeUtf8 } from '../../../base/text.ts'
import { parseAddress } from '../../../mail/parse-address.ts'
import { lockedLine } from '../../../server/queue.ts'
import type { Claim, Spool } from '../../../store/spool/api.ts'
import type { ServerCall } from '../call.ts'
import { has } from '../parse.ts'

/** What one action does to one message; the sentence is printed after `Message ID `. */
interface Done {
  readonly ok: boolean
  readonly says: string
}
interface Work extends ServerCall {
  readonly spool: Spool
  readonly claim: Claim
  /** What follows the message id, for flags that take one id and then addresses. */
  readonly operands: readonly string[]
}
type Action = (work: Work) => Promise<Done>

/** Flags whose first operand alone is a message id. */
const oneMessage = new Set(['-Mar', '-Mes', '-Mmd'])

const actions: Readonly<Record<string, Action>> = {
  '-Mar': addRecipients,
  '-MG': moveToQueue,
  '-Mes': editSender,
  '-Mf': freeze,
  '-Mmad': markAllDelivered,
  '-Mmd': markDelivered,
  '-Mrm': remove,
  '-Mt': thaw,
}

export async function run(call: ServerCall): Promise<number> {
  const { invocation, terminal } = call
  const given = invocation.flags.find(({ flag }) => flag.startsWith('-M'))
  const flag = given?.flag ?? '-M'
  // Of -MG the first word is the queue.
  const target = flag === '-MG' ? given?.rest[0] : undefined
  const words = given?.rest.slice(target === undefined ? 0 : 1) ?? []
  if (words.length === 0) return complain(`no message ids given after ${flag} option`)
  const ids = oneMessage.has(flag) ? words.slice(0, 1) : words
  const malformed = ids.find((id) => !isMessageId(id))
  if (malformed !== undefined) return complain(`malformed message id ${malformed} after ${flag} option`)
  if (flag === '-M' || flag === '-Mc' || flag === '-Mg') return deliver(call, flag, ids)

  const action = actions[flag]
  if (action === undefined) return complain(`${flag} is not an action`)
  const spool = await call.server.spool('write')
  let exitCode = 0
  for (const id of ids) {
    const done = await actOn(id, flag, action, {
      ...call,
      spool,
      operands: target === undefined ? words.slice(1) : [target],
    })
    terminal.out(`${done.says}\n`)
    if (!done.ok) exitCode = 1
  }
  return exitCode

  function complain(message: string): number {
    terminal.err(`${invocation.calledAs}: ${message}\n`)
    return 1
  }
}

/** What `postern queue` does with many. */
export const bulkActions = {
  freeze: { flag: '-Mf', action: freeze },
  thaw: { flag: '-Mt', action: thaw },
  remove: { flag: '-Mrm', action: remove },
} as const

export async function actOn(
  id: string,
  flag: string,
  action: Action,
  work: Omit<Work, 'claim'>,
): Promise<Done> {
  const claim = await work.spool.claim(id)
  if (claim === undefined) {
    if (work.spool.entry(id) !== undefined) return { ok: false, says: `Message ${id} is locked` }
    if (flag === '-Mrm') return { ok: false, says: `Message ${id} has been removed or did not exist` }
    return { ok: false, says: `Spool data file for ${id} does not exist` }
  }
  let released = false
  try {
    const done = await action({ ...work, claim })
    released = done.says === 'has been removed'
    return { ok: done.ok, says: `Message ${id} ${done.says}` }
  } finally {
    if (!released) claim.release()
  }
}

async function deliver(
  call: ServerCall,
  flag: '-M' | '-Mc' | '-Mg',
  ids: readonly string[],
): Promise<number> {
  const { server, caller, invocation } = call
  if (flag === '-Mg') {
    const spool = await server.spool('write')
    for (const id of ids) {
      if (spool.entry(id) !== undefined) server.log.main(id, `cancelled by ${caller.login}`)
    }
  }
  const queue = await server.queue()
  // One after the other, as Exim: what -v shows stays readable.
  for (const id of ids) {
    const found = await queue.deliver(id, {
      force: flag !== '-Mc',
      thaw: flag !== '-Mc',
      giveUp: flag === '-Mg',
      ...(has(invocation, '-odqs') ? { later: 'all' as const } : {}),
    })
    if (found === 'locked') {
      server.log.main(id, lockedLine(id))
    } else if (found === 'missing') server.log.main(id, `Spool file ${id}-D not found`)
  }
  // What follows down the same connections.
  await queue.idle()
  return 0
}

async function freeze({ claim, server, caller }: Work): Promise<Done> {
  if (claim.message.envelope.frozenAt !== undefined) return { ok: false, says: 'is already frozen' }
  await claim.record({ frozenAt: Date.now(), manuallyThawed: false })
  note(server, claim, `frozen by ${caller.login}`)
  return { ok: true, says: 'is now frozen' }
}

async function thaw({ claim, server, caller }: Work): Promise<Done> {
  if (claim.message.envelope.frozenAt === undefined) return { ok: false, says: 'is not frozen' }
  await claim.record({ frozenAt: null, manuallyThawed: true, nextAttemptAt: Date.now() })
  note(server, claim, `unfrozen by ${caller.login}`)
  return { ok: true, says: 'is no longer frozen' }
}

async function remove({ claim, server, caller }: Work): Promise<Done> {
  server.log.main(claim.id, `removed by ${caller.login}`)
  await claim.complete()
  server.log.main(claim.id, 'Completed')
  return { ok: true, says: 'has been removed' }
}

async function addRecipients({ claim, server, caller, operands }: Work): Promise<Done> {
  const read = addressesOf(operands, 'adding recipient')
  if (read.is === 'bad') return read.done
  const added = read.addresses
  const old = claim.message.envelope.recipients
  await claim.record({
    recipients: [...old, ...added.map((address) => ({ address }))],
    nextAttemptAt: Date.now(),
  })
  for (const address of added) note(server, claim, `recipient <${address}> added by ${caller.login}`)
  return { ok: true, says: 'has been modified' }
}

type Read =
  | { readonly is: 'read'; readonly addresses: readonly ByteString[] }
  | { readonly is: 'bad'; readonly done: Done }

/** Whole addresses, each with its domain; one that is wrong leaves the message as it was. Words observed of Exim 4.96. */
function addressesOf(
  operands: readonly string[],
  doing: string,
  problemOf?: (address: ByteString) => string | undefined,
): Read {
  const trouble = (what: string): string => `- error while ${doing}:${what}`
  if (operands.length === 0) return { is: 'bad', done: { ok: false, says: trouble(' no address given') } }
  const addresses: ByteString[] = []
  const problems: string[] = []
  for (const given of operands) {
    const parsed = parseAddress(encodeUtf8(given))
    const address = parsed.is === 'error' ? '' : parsed.address
    const wrong = parsed.is === 'error' ? parsed.message : parsed.domain === '' ? 'domain missing' : undefined
    const problem = wrong === undefined ? problemOf?.(address) : `bad address ${given}: ${wrong}`
    if (problem === undefined) addresses.push(address)
    else problems.push(trouble(`\n  ${problem}`))
  }
  return problems.length === 0
    ? { is: 'read', addresses }
    : { is: 'bad', done: { ok: false, says: problems.join('\n') } }
}

async function editSender({ claim, server, caller, operands }: Work): Promise<Done> {
  if (operands.length > 1) return { ok: false, says: '- only one sender address can be specified' }
  const read =
    operands[0] === '<>' ? { is: 'read' as const, addresses: [''] } : addressesOf(operands, 'editing sender')
  if (read.is === 'bad') return read.done
  const [sender = ''] = read.addresses
  await claim.record({ sender })
  note(server, claim, `sender address changed to <${sender}> by ${caller.login}`)
  return { ok: true, says: 'has been modified' }
}

async function markDelivered({ claim, server, caller, operands }: Work): Promise<Done> {
  const recipients = new Set(claim.message.envelope.recipients.map(({ address }) => address))
  const read = addressesOf(operands, 'marking as delivered', (address) =>
    recipients.has(address) ? undefined : `${address} is not a recipient: message not updated`,
  )
  if (read.is === 'bad') return read.done
  const { addresses } = read
  await claim.record({ done: addresses })
  for (const address of addresses)
    note(server, claim, `address <${address}> marked delivered by ${caller.login}`)
  return { ok: true, says: 'has been modified' }
}

async function markAllDelivered({ claim, server, caller }: Work): Promise<Done> {
  const addresses = claim.message.envelope.recipients.map(({ address }) => address)
  await claim.record({ done: addresses, nextAttemptAt: Date.now() })
  for (const address of addresses)
    note(server, claim, `address <${address}> marked delivered by ${caller.login}`)
  return { ok: true, says: 'has been modified' }
}

/** Source: Exim manual, "-MG". Unlike Exim's, messages are found in whichever queue they are. */
async function moveToQueue({ claim, server, operands }: Work): Promise<Done> {
  const place = (name: string): string => `${name === '' ? '' : `(${name}) `}input, msglog`
  const before = claim.message.envelope.queueName ?? ''
  const target = operands[0] ?? ''
  await claim.record({ queueName: target, nextAttemptAt: Date.now() })
  server.log.main(claim.id, `moved from ${place(before)} to ${place(target)}`)
  return { ok: true, says: '' }
}

/** Main log and message log. */
function note(server: ServerCall['server'], claim: Claim, text: string): void {
  server.log.main(claim.id, text)
  claim.log(text)
}
