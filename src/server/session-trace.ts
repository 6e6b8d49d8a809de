/** The explanation of one session: its commands and answers, and under each what was asked to decide it. */
import type { ByteString } from '../base/text.ts'
import type { ReceiveServices, SessionWatch } from '../flow/receive/services.ts'
import type { Log, LogFacts, Ports, RejectOptions, Trace } from '../ports.ts'
import { createTrace, type Explanation, traced, tracedDns, type TraceLimits } from './trace.ts'

/** A session, or a part of a long one. */
export interface SessionPart {
  readonly explanation: Explanation
  readonly id: string
  /** Messages that log lines named. */
  readonly messageIds: Set<string>
  /** A command was refused. */
  refused: boolean
  commands: number
}

export interface SessionTrace {
  /** The part that is under way. */
  readonly part: SessionPart
  /** The services with everything written down. */
  watched(services: ReceiveServices): ReceiveServices
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
  /** Told of a part that is full, before the next message begins another. Left out: there is but one. */
  readonly onPart?: (part: SessionPart) => void
}

/** What stands in place of a command that is none. */
export const connecting = '(connects)'
export const theMessage = '(the message)'

export function traceSession(options: SessionTraceOptions): SessionTrace {
  let parts = 0
  const begin = (): SessionPart => {
    const suffix = ++parts === 1 ? '' : `-${parts}`
    const what = parts === 1 ? options.what : `${options.what}, part ${parts}`
    const explanation = createTrace(what, options.now, options.limits)
    return {
      explanation,
      id: `${options.id ?? ''}${suffix}`,
      messageIds: new Set(),
      refused: false,
      commands: 0,
    }
  }
  let part = begin()
  let name: ByteString = connecting
  let command: Trace | undefined = part.explanation.begin('command', name)
  const next = (text: ByteString): void => {
    command?.end('')
    if (options.onPart !== undefined && part.explanation.fill > 0.5 && /^MAIL/i.test(text)) {
      options.onPart(part)
      part = begin()
    }
    name = text
    part.commands++
    command = part.explanation.begin('command', text)
  }
  const watch: SessionWatch = {
    command: next,
    reply(text) {
      const answer = text.replaceAll('\r', '').trimEnd()
      // A challenge of AUTH: the command goes on.
      if (answer.startsWith('334')) return
      if (command === undefined) part.explanation.begin('reply', answer).end('')
      else command.end(answer)
      command = undefined
      if (/^[45]/.test(answer)) part.refused = true
      options.onReply?.(name, answer)
      if (answer.startsWith('354')) next(theMessage)
    },
    secret: (text) => part.explanation.conceal(text),
  }
  const top: Trace = {
    begin: (kind, what, at) => (command ?? part.explanation).begin(kind, what, at),
    end: () => undefined,
  }
  const here: Trace = {
    begin: (kind, what, at) => part.explanation.here.begin(kind, what, at),
    end: () => undefined,
  }
  return {
    get part() {
      return part
    },
    watched(services) {
      const { context } = services
      const ports = recordingPorts(context.ports, here, {
        silent: options.silent === true,
        traceId: () => (options.id === undefined ? undefined : part.id),
        onId: (id) => part.messageIds.add(id),
      })
      return { ...services, watch, context: { ...context, trace: top, ports } }
    },
  }
}

interface Recording {
  /** Log lines go no further. */
  readonly silent: boolean
  /** Named in the JSON log. */
  traceId(): string | undefined
  /** Told of each message that a log line is about. */
  onId(id: string): void
}

/** Ports that write down what they are asked and what is logged. */
export function recordingPorts(ports: Ports, here: Trace, recording: Recording): Ports {
  const made = tracedDns(traced(ports), here)
  Object.defineProperty(made, 'log', { value: recordingLog(ports, here, recording) })
  return made
}

/** A log whose lines stand in the explanation too; the JSON log names the explanation. */
function recordingLog(ports: Ports, here: Trace, recording: Recording): Log {
  const { silent } = recording
  const note = (id: string | undefined, text: ByteString, which: string): void => {
    if (id !== undefined && id !== '') recording.onId(id)
    here.begin('log', text.includes('AUTH') ? text.replace(secretOfAuth, '$1 ****') : text).end(which)
  }
  const named = (facts: LogFacts | undefined): LogFacts | undefined => {
    const trace = recording.traceId()
    return trace === undefined ? facts : { ...facts, trace }
  }
  return {
    selects: (selector, port) => ports.log.selects(selector, port),
    main(id, text, facts) {
      note(id, text, 'main log')
      if (!silent) ports.log.main(id, text, named(facts))
    },
    reject(id, text, how: RejectOptions = {}) {
      note(id, text, 'reject log')
      if (silent) return
      const facts = named(how.facts)
      ports.log.reject(id, text, facts === undefined ? how : { ...how, facts })
    },
    panic(id, text, facts) {
      note(id, text, 'panic log')
      if (!silent) ports.log.panic(id, text, named(facts))
    },
  }
}

const secretOfAuth = /(AUTH\s+\S+)\s[^\s":]+/gi
