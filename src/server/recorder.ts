/** `explain_store`: the daemon keeps explanations of the latest sessions and deliveries, for `postern explain`. */
import { randomBytes } from 'node:crypto'
import type { ByteString } from '../base/text.ts'
import type { Watched } from '../flow/delivery/index.ts'
import type { ConnectionFacts, Ports } from '../ports.ts'
import type { ExplanationWriter } from '../store/explanations.ts'
import { recordingPorts, type SessionPart, type SessionTrace, traceSession } from './session-trace.ts'
import { createTrace, type TraceLimits } from './trace.ts'
import { packTrace } from './trace-pack.ts'

export interface Recorder {
  session(connection: ConnectionFacts): RecordedSession
  delivery(messageId: string, ports: Ports): RecordedDelivery
}

export interface RecordedSession extends Pick<SessionTrace, 'watched'> {
  finish(): void
}

export interface RecordedDelivery {
  readonly watched: Watched
  finish(): void
}

/** Less than a dry run has: thousands of these are kept. */
const limits: TraceLimits = { nodes: 1200, text: 500, terse: true }

export function createRecorder(writer: ExplanationWriter): Recorder {
  return {
    session(connection) {
      const at = Date.now()
      const what = sessionName(connection)
      const keep = (part: SessionPart): void => {
        const { explanation, id, messageIds, refused } = part
        const head = {
          trace: id,
          kind: 'session',
          at,
          what: explanation.root.what,
          ids: [...messageIds],
          refused,
        } as const
        writer.add(head, packTrace(explanation.root))
      }
      const trace = traceSession({
        what,
        now: () => performance.now(),
        limits,
        id: connection.connectionId,
        onPart: keep,
      })
      return {
        watched: (services) => trace.watched(services),
        finish() {
          // A balancer that only looks whether somebody is there says nothing.
          if (connection.proxy?.healthCheck !== true) keep(trace.part)
        },
      }
    },
    delivery(messageId, ports) {
      const at = Date.now()
      const id = randomBytes(6).toString('hex')
      const what: ByteString = `delivery of ${messageId}`
      const explanation = createTrace(what, () => performance.now(), limits)
      const recording = { silent: false, traceId: () => id, onId: () => undefined }
      return {
        watched: { trace: explanation, ports: recordingPorts(ports, explanation.here, recording) },
        finish: () =>
          writer.add(
            { trace: id, kind: 'delivery', at, what, ids: [messageId], refused: false },
            packTrace(explanation.root),
          ),
      }
    },
  }
}

function sessionName({ hostAddress, hostPort }: ConnectionFacts): ByteString {
  return hostAddress === undefined ? 'a local session' : `a session from [${hostAddress}]:${hostPort}`
}
