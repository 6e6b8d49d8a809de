/** `postern queue`: finds messages of the queue and does something with all of them. */
import { decodeUtf8, encodeUtf8 } from '../../../base/text.ts'
import type { QueueEntry } from '../../../store/spool/api.ts'
import { age, sizeOf } from '../queue-listing.ts'
import { stateOf } from '../../../store/spool/queue-state.ts'
import { type Selection, selectMessages } from '../../watch/select-messages.ts'
import type { ServerCall } from '../call.ts'
import { actOn, bulkActions } from '../modes/message-action.ts'
import { progress } from '../progress.ts'
import { readWords } from '../read-words.ts'
import { lines, type Terminal } from '../terminal.ts'
import { withServer } from '../with-server.ts'

export const usage = `usage: postern queue [SELECTION] [--json | --ids | --count] [-C FILE] [ID ...]
       postern queue freeze|thaw|retry|remove|bounce SELECTION [--yes] [--dry-run] [-C FILE] [ID ...]

SELECTION, all that is given must hold:
  --sender TEXT      in the sender; <> for the empty one      --older TIME    such as 30m, 2h, 1d
  --recipient TEXT   in a recipient that is not done          --younger TIME
  --domain DOMAIN    of such a recipient; .DOMAIN: subdomains --larger SIZE   such as 20K, 5M
  --reason TEXT      in why it is still here                  --state STATE   new, deferred, frozen, delivering
  --queue NAME       in this named queue                      --all           every message
`

const verbs = ['freeze', 'thaw', 'retry', 'remove', 'bounce'] as const
type Verb = (typeof verbs)[number]

/** Deliveries of retry and bounce at once. */
const parallel = 10

export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  const options = readOptions(words)
  if ('wrong' in options) {
    terminal.err(encodeUtf8(`postern queue: ${options.wrong}\n${usage}`))
    return 2
  }
  const { verb, config, selection } = options
  const how =
    verb === undefined
      ? { config, asks: ['-bp'] }
      : {
          config,
          asks: verb === 'retry' || verb === 'bounce' ? ['-M'] : ['-Mf'],
          delivers: verb === 'retry' || verb === 'bounce',
        }
  return withServer(how, 'postern queue', terminal, async (_, call) => {
    const found = await find(call, selection, verb === undefined ? 'read' : 'write')
    if (verb === undefined) return show(found, options.form, terminal)
    if (options.dryRun) {
      terminal.out(`would ${verb} ${counted(found.length)}:\n`)
      return show(found, 'long', terminal)
    }
    if (found.length === 0) {
      terminal.out('no message is selected\n')
      return 1
    }
    if (!options.yes && terminal.interactive && !(await agreed(verb, found, terminal))) return 1
    return verb === 'retry' || verb === 'bounce' ? deliver(call, verb, found) : act(call, verb, found)
  })
}

async function find(
  { server, terminal }: ServerCall,
  selection: Exclude<Selection, { readonly wrong: string }>,
  use: 'read' | 'write',
): Promise<QueueEntry[]> {
  const spool = await server.spool(use)
  const now = server.ports.now()
  const shown = progress(terminal, 'looked at', spool.count())
  const found: QueueEntry[] = []
  let looked = 0
  for (const entry of spool.list({ order: 'arrival' })) {
    shown.at(++looked)
    if (selection.matches(entry, now)) found.push(entry)
  }
  shown.end()
  return found
}

type Form = 'long' | 'json' | 'ids' | 'count'

function show(found: readonly QueueEntry[], form: Form, terminal: Terminal): number {
  const now = Date.now()
  if (form === 'count') terminal.out(`${found.length}\n`)
  else if (form === 'ids') for (const { id } of found) terminal.out(`${id}\n`)
  else if (form === 'json')
    for (const entry of found) terminal.out(encodeUtf8(`${JSON.stringify(asJson(entry, now))}\n`))
  else for (const entry of found) terminal.out(asText(entry, now))
  return 0
}

/** As `-bp`, with the state and why. */
function asText(entry: QueueEntry, now: number): string {
  const state = stateOf(entry)
  const queue = entry.queueName === '' ? '' : ` queue=${entry.queueName}`
  let text = `${age(now - entry.receivedAt)} ${sizeOf(entry.size)} ${entry.id} <${entry.sender}> ${state}${queue}\n`
  for (const { address, done } of entry.recipients) text += `        ${done ? 'D' : ' '} ${address}\n`
  if (entry.reason !== undefined) text += `          ${entry.reason}\n`
  if (state === 'deferred' && entry.nextAttemptAt > now)
    text += `          next attempt in ${age(entry.nextAttemptAt - now).trim()}\n`
  return text
}

function asJson(entry: QueueEntry, now: number): Record<string, unknown> {
  const date = (at: number): string => new Date(at).toISOString()
  return {
    id: entry.id,
    state: stateOf(entry),
    sender: decodeUtf8(entry.sender),
    recipients: entry.recipients.map(({ address, done }) => ({ address: decodeUtf8(address), done })),
    size: entry.size,
    receivedAt: date(entry.receivedAt),
    ageSeconds: Math.round((now - entry.receivedAt) / 1000),
    ...(entry.frozenAt === undefined ? {} : { frozenAt: date(entry.frozenAt) }),
    ...(entry.nextAttemptAt > 0 ? { nextAttemptAt: date(entry.nextAttemptAt) } : {}),
    ...(entry.reason === undefined ? {} : { reason: decodeUtf8(entry.reason) }),
    queue: entry.queueName,
  }
}

async function agreed(verb: Verb, found: readonly QueueEntry[], terminal: Terminal): Promise<boolean> {
  terminal.err(`${verb} ${counted(found.length)}? [y/N] `)
  for await (const answer of lines(terminal.input)) return /^y(es)?$/i.test(answer.trim())
  return false
}

async function act(
  call: ServerCall,
  verb: Exclude<Verb, 'retry' | 'bounce'>,
  found: readonly QueueEntry[],
): Promise<number> {
  const spool = await call.server.spool('write')
  const { flag, action } = bulkActions[verb]
  const shown = progress(call.terminal, verb, found.length)
  let done = 0
  let failed = 0
  for (const { id } of found) {
    const result = await actOn(id, flag, action, { ...call, spool, operands: [] })
    if (result.ok) done++
    else {
      failed++
      shown.end()
      call.terminal.err(`${result.says}\n`)
    }
    shown.at(done + failed)
  }
  shown.end()
  call.terminal.out(`${verb}: ${counted(done)} done${failed === 0 ? '' : `, ${failed} not`}\n`)
  return failed === 0 ? 0 : 1
}

async function deliver(
  call: ServerCall,
  verb: 'retry' | 'bounce',
  found: readonly QueueEntry[],
): Promise<number> {
  const { server, caller, terminal } = call
  const queue = await server.queue()
  const shown = progress(terminal, verb, found.length)
  const left = found[Symbol.iterator]()
  let done = 0
  let failed = 0
  const worker = async (): Promise<void> => {
    for (let next = left.next(); next.done !== true; next = left.next()) {
      const { id } = next.value
      if (verb === 'bounce') server.log.main(id, `cancelled by ${caller.login}`)
      const result = await queue.deliver(id, { force: true, thaw: true, giveUp: verb === 'bounce' })
      if (result === 'done') done++
      else {
        failed++
        terminal.err(`Message ${id} is ${result}\n`)
      }
      shown.at(done + failed)
    }
  }
  await Promise.all(Array.from({ length: parallel }, worker))
  shown.end()
  const spool = await server.spool('write')
  const kept = found.filter(({ id }) => spool.entry(id) !== undefined).length
  terminal.out(
    `${verb}: ${counted(done)} tried, ${kept} of them still in the queue${failed === 0 ? '' : `; ${failed} not tried`}\n`,
  )
  return failed === 0 ? 0 : 1
}

function counted(messages: number): string {
  return `${messages} message${messages === 1 ? '' : 's'}`
}

interface Options {
  readonly verb: Verb | undefined
  readonly selection: Exclude<Selection, { readonly wrong: string }>
  readonly form: Form
  readonly yes: boolean
  readonly dryRun: boolean
  readonly config: string | undefined
}

function readOptions(words: readonly string[]): Options | { readonly wrong: string } {
  const verb = verbs.find((each) => each === words[0])
  const read = readWords({
    args: words.slice(verb === undefined ? 0 : 1),
    allowPositionals: true,
    options: {
      config: { type: 'string', short: 'C' },
      sender: { type: 'string' },
      recipient: { type: 'string' },
      domain: { type: 'string' },
      reason: { type: 'string' },
      older: { type: 'string' },
      younger: { type: 'string' },
      larger: { type: 'string' },
      state: { type: 'string' },
      queue: { type: 'string' },
      all: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      ids: { type: 'boolean', default: false },
      count: { type: 'boolean', default: false },
      yes: { type: 'boolean', default: false },
      'dry-run': { type: 'boolean', default: false },
    },
  })
  if ('wrong' in read) return read
  const { values, positionals } = read
  const text = (value: string | undefined): string | undefined =>
    value === undefined ? undefined : encodeUtf8(value)
  const selection = selectMessages({
    ...values,
    sender: text(values.sender),
    recipient: text(values.recipient),
    domain: text(values.domain),
    reason: text(values.reason),
    ids: positionals,
  })
  if ('wrong' in selection) return selection
  if (verb !== undefined && selection.everything && !values.all)
    return { wrong: `${verb} needs a selection, or --all for every message of the queue` }
  const form: Form = values.json ? 'json' : values.ids ? 'ids' : values.count ? 'count' : 'long'
  return { verb, selection, form, yes: values.yes, dryRun: values['dry-run'], config: values.config }
}
