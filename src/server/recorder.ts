/** `explain_store`: explanations of the latest sessions, local messages and deliveries are kept, for `postern explain`. */
// The global of this name is looked up at each use.
import { performance } from 'node:perf_hooks'
import type { ByteString } from '../base/text.ts'
import type { Watched } from '../flow/delivery/index.ts'
import type { Observer, ReceiveServices } from '../flow/receive/services.ts'
import type { ConnectionFacts, Ports } from '../ports.ts'
import type { ExplanationWriter } from '../store/explanations.ts'
import { RandomIds } from './random-ids.ts'
import { recordingPorts } from './recording-ports.ts'
import { type SessionPart, SessionTrace, theMessage } from './session-trace.ts'
import { startTrace, type TraceLimits } from './trace.ts'
import { TraceTable } from './trace-table.ts'

export interface Recorder {
  session(connection: ConnectionFacts): RecordedSession
  /** Messages of a local program that come without a dialogue. */
  local(connection: ConnectionFacts): RecordedSession
  delivery(messageId: string, ports: Ports): RecordedDelivery
}

export interface RecordedSession {
  /** What writes everything down. A session gets it beside its services: copies of those cost more than all that is written. */
  observer(own: Ports): Observer
  /** Services that write everything down. */
  watched(services: ReceiveServices): ReceiveServices
  /** @param outcome what a local message came to; of a dialogue the answers tell */
  finish(outcome?: LocalEnd): void
}

export interface LocalEnd {
  readonly refused: boolean
  readonly text: ByteString
}

export interface RecordedDelivery {
  readonly watched: Watched
  finish(): void
}

/** Less than a dry run has: thousands of these are kept. */
const limits: TraceLimits = { nodes: 1200, text: 500, bytes: 64 * 1024, terse: true }
const now = (): number => performance.now()

export function createRecorder(writer: ExplanationWriter): Recorder {
  const table = new TraceTable()
  const ids = new RandomIds()

  function session(connection: ConnectionFacts, what: ByteString, first?: ByteString): RecordedSession {
    const at = Date.now()
    const keep = ({ explanation, what: name, id, messageIds, refused }: SessionPart): void =>
      explanation.close((steps, length) =>
        writer.add(
          { trace: id, kind: 'session', at, what: name, ids: messageIds, refused },
          steps,
          length,
          table,
        ),
      )
    const trace = new SessionTrace({
      what,
      now,
      limits,
      table,
      id: connection.connectionId,
      onPart: keep,
      first,
    })
    return {
      observer: (own) => trace.observer(own),
      watched: (services) => trace.watched(services),
      finish(outcome) {
        if (outcome !== undefined) trace.conclude(outcome)
        // A balancer that only looks whether somebody is there says nothing.
        if (connection.proxy?.healthCheck !== true) keep(trace.part)
      },
    }
  }

  return {
    session: (connection) => session(connection, sessionName(connection)),
    local: (connection) => session(connection, `a message from ${whose(connection)}`, theMessage),
    delivery(messageId, ports) {
      const at = Date.now()
      const id = ids.next()
      const what: ByteString = `delivery of ${messageId}`
      const explanation = startTrace(what, now, limits, table)
      const recording = { silent: false, traceId: () => id, onId: () => undefined }
      return {
        watched: { trace: explanation, ports: recordingPorts(ports, explanation.here, recording) },
        finish: () =>
          explanation.close((steps, length) =>
            writer.add(
              { trace: id, kind: 'delivery', at, what, ids: [messageId], refused: false },
              steps,
              length,
              table,
            ),
          ),
      }
    },
  }
}

function sessionName(connection: ConnectionFacts): ByteString {
  const { hostAddress, hostPort } = connection
  return hostAddress === undefined
    ? `a session of ${whose(connection)}`
    : `a session from [${hostAddress}]:${hostPort}`
}

function whose({ caller, hostAddress }: ConnectionFacts): ByteString {
  const login = caller?.login ?? 'a local program'
  return hostAddress === undefined ? login : `${login} as if from [${hostAddress}]`
}
