/** The explanation of one session: its commands and answers, and under each what was asked to decide it. */
import type { Noted, NotedPlace } from '../base/noted.ts'
import type { ByteString } from '../base/text.ts'
import type { Observer, ReceiveServices, SessionWatch } from '../flow/receive/services.ts'
import type { Ports, Trace, TraceKind } from '../ports.ts'
import { type Recording, recordingPorts } from './recording-ports.ts'
import { type Explanation, startTrace, type TraceLimits } from './trace.ts'
import type { TraceTable } from './trace-table.ts'

/** A session, or a part of a long one. */
export interface SessionPart {
  readonly what: ByteString
  readonly explanation: Explanation
  readonly id: string
  /** Messages that log lines named. */
  readonly messageIds: string[]
  /** A command was refused. */
  refused: boolean
  commands: number
}

export interface SessionTraceOptions {
  readonly what: ByteString
  readonly now: () => number
  readonly limits?: TraceLimits
  /** Shared with other sessions of the configuration. */
  readonly table?: TraceTable
  /** Named in the JSON log. */
  readonly id?: string
  /** Log lines stand in the explanation alone. */
  readonly silent?: boolean
  /** Told of each answer to a command. */
  readonly onReply?: (command: ByteString, text: ByteString) => void
  /** What stands in place of the first command; left out: `connecting`. */
  readonly first?: ByteString | undefined
  /** Told of a part that is full, before the next message begins another. Left out: there is but one. */
  readonly onPart?: (part: SessionPart) => void
}

/** What stands in place of a command that is none. */
export const connecting = '(connects)'
export const theMessage = '(the message)'

export class SessionTrace implements SessionWatch, Trace, Recording {
  readonly #options: SessionTraceOptions
  readonly silent: boolean
  #parts = 0
  #part: SessionPart
  #name: ByteString
  #command: Trace | undefined

  constructor(options: SessionTraceOptions) {
    this.#options = options
    this.silent = options.silent === true
    this.#part = this.#nextPart()
    this.#name = options.first ?? connecting
    this.#command = this.#part.explanation.begin('command', this.#name)
  }

  /** The part that is under way. */
  get part(): SessionPart {
    return this.#part
  }

  /** What writes everything down. */
  observer(own: Ports): Observer {
    return { watch: this, trace: this, ports: recordingPorts(own, new Here(this), this) }
  }

  /** Services that write everything down. */
  watched(services: ReceiveServices): ReceiveServices {
    const { context } = services
    const { watch, trace, ports } = this.observer(context.ports)
    return { ...services, watch, context: { ...context, trace, ports } }
  }

  /** What came of a message without a dialogue. */
  conclude({ refused, text }: { readonly refused: boolean; readonly text: ByteString }): void {
    this.#command?.end(text)
    this.#command = undefined
    if (refused) this.#part.refused = true
  }

  command(text: ByteString): void {
    this.#command?.end('')
    const { onPart } = this.#options
    if (onPart !== undefined && this.#part.explanation.fill > 0.5 && /^MAIL/i.test(text)) {
      onPart(this.#part)
      this.#part = this.#nextPart()
    }
    this.#name = text
    this.#part.commands++
    this.#command = this.#part.explanation.begin('command', text)
  }

  reply(text: ByteString): void {
    const answer = plainReply(text)
    // A challenge of AUTH: the command goes on.
    if (answer.startsWith('334')) return
    const part = this.#part
    if (this.#command === undefined) part.explanation.note('reply', answer, '')
    else this.#command.end(answer)
    this.#command = undefined
    const first = answer[0]
    if (first === '4' || first === '5') part.refused = true
    this.#options.onReply?.(this.#name, answer)
    if (answer.startsWith('354')) this.command(theMessage)
  }

  secret(text: ByteString): void {
    this.#part.explanation.conceal(text)
  }

  begin(kind: TraceKind, what: ByteString, at?: Noted | NotedPlace): Trace {
    return (this.#command ?? this.#part.explanation).begin(kind, what, at)
  }

  note(kind: TraceKind, what: ByteString, result: ByteString, at?: Noted | NotedPlace): void {
    ;(this.#command ?? this.#part.explanation).note(kind, what, result, at)
  }

  end(): void {}

  traceId(): string | undefined {
    return this.#options.id === undefined ? undefined : this.#part.id
  }

  onId(id: string): void {
    const { messageIds } = this.#part
    if (!messageIds.includes(id)) messageIds.push(id)
  }

  #nextPart(): SessionPart {
    const { what, now, limits, table, id } = this.#options
    const first = ++this.#parts === 1
    const name = first ? what : `${what}, part ${this.#parts}`
    return {
      what: name,
      explanation: startTrace(name, now, limits, table),
      id: first ? (id ?? '') : `${id ?? ''}-${this.#parts}`,
      messageIds: [],
      refused: false,
      commands: 0,
    }
  }
}

/** Lines with LF between them. Most replies are one line. */
function plainReply(text: ByteString): ByteString {
  const end = text.indexOf('\r\n')
  return end === text.length - 2 ? text.slice(0, end) : text.replaceAll('\r', '').trimEnd()
}

/** Within whatever step of the part at hand is under way. */
class Here implements Trace {
  readonly #session: SessionTrace
  constructor(session: SessionTrace) {
    this.#session = session
  }
  begin(kind: TraceKind, what: ByteString, at?: Noted | NotedPlace): Trace {
    return this.#session.part.explanation.here.begin(kind, what, at)
  }
  note(kind: TraceKind, what: ByteString, result: ByteString, at?: Noted | NotedPlace): void {
    this.#session.part.explanation.here.note(kind, what, result, at)
  }
  end(): void {}
}
