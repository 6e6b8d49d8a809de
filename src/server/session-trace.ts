/** The explanation of one session: its commands and answers, and under each what was asked to decide it. */
import type { ByteString } from '../base/text.ts'
import type { ReceiveServices, SessionWatch } from '../flow/receive/services.ts'
import type { Log, LogFacts, RejectOptions, Trace } from '../ports.ts'
import { createTrace, type Explanation, traced, tracedDns, type TraceLimits } from './trace.ts'

export interface SessionTrace {
  readonly explanation: Explanation
  /** The services with everything written down. */
  watched(services: ReceiveServices): ReceiveServices
  /** Ids of messages that log lines named. */
  readonly messageIds: ReadonlySet<string>
  /** A command was refused. */
  readonly refused: boolean
}

export interface SessionTraceOptions {
  readonly what: ByteString
  readonly now: () => number
  readonly limits?: TraceLimits
  /** Named in the JSON log. */
  readonly id?: string
  /** Log lines stand in the explanation alone. */
  readonly silent?: boolean
  /** Told of each answer to a command. */
  readonly onReply?: (command: ByteString, text: ByteString) => void
}

/** What stands in place of a command that is none. */
export const connecting = '(connects)'
export const theMessage = '(the message)'

export function traceSession(options: SessionTraceOptions): SessionTrace {
  const explanation = createTrace(options.what, options.now, options.limits)
  const messageIds = new Set<string>()
  let name: ByteString = connecting
  let command: Trace | undefined = explanation.begin('command', name)
  let refused = false
  const next = (text: ByteString): void => {
    command?.end('')
    name = text
    command = explanation.begin('command', text)
  }
  const watch: SessionWatch = {
    command: next,
    reply(text) {
      const answer = text.replaceAll('\r', '').trimEnd()
      // A challenge of AUTH: the command goes on.
      if (answer.startsWith('334')) return
      if (command === undefined) explanation.begin('reply', answer).end('')
      else command.end(answer)
      command = undefined
      if (/^[45]/.test(answer)) refused = true
      options.onReply?.(name, answer)
      if (answer.startsWith('354')) next(theMessage)
    },
    secret: (text) => explanation.conceal(text),
  }
  const top: Trace = {
    begin: (kind, what, at) => (command ?? explanation).begin(kind, what, at),
    end: () => undefined,
  }
  return {
    explanation,
    messageIds,
    get refused() {
      return refused
    },
    watched(services) {
      const { context } = services
      const log = loggedInto(explanation.here, messageIds, options, () => context.ports.log)
      const ports = traced(tracedDns(context.ports, explanation.here))
      Object.defineProperty(ports, 'log', { value: log })
      return { ...services, watch, context: { ...context, trace: top, ports } }
    },
  }
}

/** A log whose lines stand in the explanation too; the JSON log names the explanation. */
export function loggedInto(
  here: Trace,
  messageIds: Set<string>,
  { id: traceId, silent }: Pick<SessionTraceOptions, 'id' | 'silent'>,
  log: () => Log,
): Log {
  const note = (id: string | undefined, text: ByteString, which: string): void => {
    if (id !== undefined && id !== '') messageIds.add(id)
    here.begin('log', text.replace(secretOfAuth, '$1 ****')).end(which)
  }
  const named = (facts: LogFacts | undefined): LogFacts | undefined =>
    traceId === undefined ? facts : { ...facts, trace: traceId }
  const passOn = silent !== true
  return {
    selects: (selector) => log().selects(selector),
    main(id, text, facts) {
      note(id, text, 'main log')
      if (passOn) log().main(id, text, named(facts))
    },
    reject(id, text, how: RejectOptions = {}) {
      note(id, text, 'reject log')
      if (!passOn) return
      const facts = named(how.facts)
      log().reject(id, text, facts === undefined ? how : { ...how, facts })
    },
    panic(id, text, facts) {
      note(id, text, 'panic log')
      if (passOn) log().panic(id, text, named(facts))
    },
  }
}

const secretOfAuth = /(AUTH\s+\S+)\s[^\s":]+/gi
