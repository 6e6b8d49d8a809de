/**
 * Plays one session with the real engine, as `-bh` does, and writes down why everything was decided: nothing is kept, no
 * message goes anywhere. The client sends a command only when the last one is answered.
 */
import type { ByteString } from '../../../base/text.ts'
import { decisions } from './deciding.ts'
import { newMessage } from '../../../flow/receive/message-facts.ts'
import type { ClientFacts } from '../../../server/client-facts.ts'
import { type Exchange, play, type Said } from '../../../server/play.ts'
import type { Context } from '../../../ports.ts'
import type { Server } from '../../../server/server.ts'
import { SessionTrace } from '../../../server/session-trace.ts'
import { advertisesTls } from '../../../server/tls-service.ts'
import type { Explanation, TraceNode } from '../../../server/trace.ts'
import { traced, tracedDns } from '../../../server/traced-ports.ts'
import { createDraftHints } from '../../../store/hints/draft.ts'

export interface Question {
  readonly client: ClientFacts
  readonly helo: ByteString
  readonly mail: ByteString
  readonly rcpt: readonly ByteString[]
  /** Undefined: the session ends before DATA. */
  readonly message: ByteString | undefined
}

export interface Reply {
  readonly command: ByteString
  readonly text: ByteString
}

export interface DryRun {
  readonly root: TraceNode
  readonly replies: readonly Reply[]
  /** STARTTLS was wanted and not offered: the session went on in clear. */
  readonly inClear: boolean
}

export async function dryRun(server: Server, question: Question): Promise<DryRun> {
  const replies: Reply[] = []
  const session = new SessionTrace({
    what: `a session as if from ${question.client.address}`,
    now: () => performance.now(),
    silent: true,
    onReply: (command, text) => replies.push({ command, text }),
  })
  const base = await server.receiving()
  let accepted: Context | undefined
  const context = server.context()
  const services = session.watched({
    ...base,
    rehearsed: (envelope, { message }) => {
      if (message === undefined) return
      accepted = server.context({
        message: { ...message, headers: envelope.headers, sender: envelope.sender },
      })
    },
    context: {
      ...context,
      // Rates and what was seen count within this session only.
      ports: { ...context.ports, hints: createDraftHints(context.ports.hints) },
      // Nobody waits here for replies before he goes on.
      settings: { ...server.settings, smtp_enforce_sync: false },
    },
  })
  const exchanges = await play(services, {
    client: question.client,
    script: (before) => next(before, question),
    offersTls: advertisesTls,
    now: () => server.ports.now(),
  })
  const { explanation } = session.part
  const thrownAway = new Set(
    decisions(explanation.root).flatMap(({ outcome, command }) =>
      outcome === 'discarded' ? [command.what] : [],
    ),
  )
  const kept = exchanges.filter(({ command }) => !thrownAway.has(command))
  // Of a message that is accepted and not rehearsed, nobody gets anything.
  const taken = question.message !== undefined && accepted === undefined ? [] : acceptedOf(kept)
  const here = taken.length === 0 ? undefined : await asDelivery(server, question, accepted, explanation)
  if (here !== undefined)
    for (const address of taken) await routeAsDelivery(server, address, here, explanation)
  const { tls } = question.client
  const starts = exchanges.some(({ command }) => command === 'STARTTLS')
  return { root: explanation.root, replies, inClear: tls !== undefined && !tls.onConnect && !starts }
}

/** What the client says after the exchanges so far; undefined: it goes away. */
function next(exchanges: readonly Exchange[], question: Question): Said | undefined {
  const last = exchanges.at(-1)
  if (last === undefined || last.reply === '' || last.reply.startsWith('421')) return undefined
  if (last.command === 'QUIT') return undefined
  if (last.command === 'DATA' && last.reply.startsWith('354'))
    return { is: 'message', text: question.message ?? '' }
  const commands = commandsOf(question, exchanges)
  const said = exchanges.filter(({ command }) => !command.startsWith('(')).length
  const command = commands[said]
  if (command === undefined) return { is: 'command', text: 'QUIT' }
  // A refused RCPT leaves the others, and STARTTLS the session, as they were.
  const goesOn = /^[23]/.test(last.reply) || /^(?:RCPT|STARTTLS)/.test(last.command)
  const pointless = command === 'DATA' && recipientsTaken(exchanges).length === 0
  return { is: 'command', text: goesOn && !pointless ? command : 'QUIT' }
}

function commandsOf(
  { client, helo, mail, rcpt, message }: Question,
  exchanges: readonly Exchange[],
): ByteString[] {
  const ehlo = `EHLO ${helo}`
  const [, greeting] = exchanges
  const offered = /^250[ -]STARTTLS\b/m.test(greeting?.reply ?? '')
  const starts = client.tls !== undefined && !client.tls.onConnect && offered
  return [
    ehlo,
    ...(starts ? ['STARTTLS', ehlo] : []),
    `MAIL FROM:<${mail}>`,
    ...rcpt.map((address) => `RCPT TO:<${address}>`),
    ...(message === undefined ? [] : ['DATA']),
  ]
}

function recipientsTaken(exchanges: readonly Exchange[]): ByteString[] {
  return exchanges.flatMap(({ command, reply }) =>
    command.startsWith('RCPT TO:') && reply.startsWith('2') ? [command.slice(9, -1)] : [],
  )
}

/** Recipients that a delivery would follow for. */
function acceptedOf(exchanges: readonly Exchange[]): ByteString[] {
  const data = exchanges.filter(({ command }) => command === 'DATA' || command === '(the message)')
  return data.every(({ reply }) => /^(?:2|354)/.test(reply)) ? recipientsTaken(exchanges) : []
}

/** What a delivery begins with: the message, as the system filter leaves it. Undefined: that ends it. */
async function asDelivery(
  server: Server,
  { mail }: Question,
  accepted: Context | undefined,
  explanation: Explanation,
): Promise<Context | undefined> {
  const message = newMessage({
    receivedAt: server.ports.now(),
    local: false,
    originator: { login: server.user.name, uid: server.user.uid, gid: server.user.gid },
  })
  message.sender = mail
  const context = accepted ?? server.context({ message })
  const ports = tracedDns(traced(context.ports), explanation.here)
  const here: Context = { ...context, ports, trace: explanation }
  if (accepted === undefined) return here
  const filtered = await (await server.routing()).systemFilter(here, true)
  if (filtered.is === 'none') return here
  if (filtered.is !== 'done' || filtered.significant) return undefined
  const { headers, counters } = filtered
  for (const [i, n] of counters.entries()) here.variables.set(`sn${i}`, String(n))
  return headers === undefined || here.message === undefined
    ? here
    : { ...here, message: { ...here.message, headers } }
}

/** What would become of an accepted recipient, as `-bt` tells it. */
async function routeAsDelivery(
  server: Server,
  address: ByteString,
  here: Context,
  explanation: Explanation,
): Promise<void> {
  const step = explanation.begin('routing', address)
  const routing = await server.routing()
  const tested = await routing.test(address, 'bt', { ...here, trace: step })
  step.end(tested.lines.join('\n'))
}
