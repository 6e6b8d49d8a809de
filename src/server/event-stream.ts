/**
 * The event stream: each event as one JSON line, kept on disk until the consumer has it. One process at a time hands
 * the lines on, in the order they came. Option event_stream.
 */
import { decodeUtf8, type Text, textOf } from '../base/text.ts'
import type { Context, EventDetails } from '../ports.ts'
import { EventJournal, JournalReader } from '../store/events/journal.ts'
import type { FileOwner } from '../store/spool/disk.ts'
import { takeLock } from '../store/spool/process-key.ts'
import type { EventTarget } from '../wire/event-target.ts'
import type { EventSink } from './events.ts'

export interface StreamOptions {
  readonly folder: string
  readonly owner?: FileOwner | undefined
  readonly target: EventTarget
  readonly limitBytes: number
  /** A short call: it hands on at its end, when no daemon does. */
  readonly brief: boolean
  readonly now: () => number
  readonly log: (line: string) => void
}

/** Lines handed over at once. */
const batchLines = 500
const pauseMs = 250
/** A consumer that is away is asked again after so long, then after twice as long, up to the most. */
const firstWaitMs = 1000
const mostWaitMs = 30_000
/** How long a short call may take for handing on. */
const briefMs = 3000

export interface EventStream extends EventSink {
  close(): Promise<void>
}

export function openEventStream(options: StreamOptions): EventStream {
  const journal = new EventJournal(options)
  let sequence = 0
  let appended = false
  let timer: NodeJS.Timeout | undefined
  let closed = false
  let round = Promise.resolve()
  let waitMs = 0
  let unlock: (() => void) | undefined
  let reader: JournalReader | undefined

  function later(ms: number): void {
    if (closed) return
    timer = setTimeout(() => {
      round = work().catch((error: unknown) => options.log(`event_stream: ${String(error)}`))
    }, ms)
    timer.unref()
  }

  /** Hands on what is there, then waits. */
  async function work(): Promise<void> {
    if (await locked()) await handOn(() => closed)
    later(waitMs > 0 ? waitMs : pauseMs)
  }

  async function locked(): Promise<boolean> {
    if (unlock !== undefined) return true
    try {
      unlock = await takeLock(options.folder, 'lock', journal.key, 0, options.owner)
      reader = new JournalReader(options.folder, options.owner)
      return true
    } catch {
      // Another process hands on.
      return false
    }
  }

  async function handOn(enough: () => boolean): Promise<void> {
    for (;;) {
      const batch = enough() ? undefined : reader?.next(batchLines)
      if (batch === undefined) return
      const why = await options.target(batch.lines)
      if (why === undefined) {
        if (waitMs > 0) options.log('event_stream: the consumer is back')
        waitMs = 0
        batch.taken()
        continue
      }
      if (waitMs === 0) options.log(`event_stream: the consumer is away, events are kept: ${why}`)
      waitMs = Math.min(mostWaitMs, waitMs === 0 ? firstWaitMs : waitMs * 2)
      return
    }
  }

  if (!options.brief) later(0)

  return {
    take(event, data, context, details) {
      appended = true
      const line = JSON.stringify({
        n: `${journal.key}-${++sequence}`,
        time: new Date(options.now()).toISOString(),
        event,
        ...facts(data, context, details),
      })
      journal.append(line)
      // Of what has happened to a message nothing may be lost; connections are no such news.
      return event.startsWith('msg:') ? journal.synced() : undefined
    },
    async close() {
      closed = true
      clearTimeout(timer)
      await round
      waitMs = 0
      const until = Date.now() + briefMs
      if (appended && (await locked())) {
        // What was written a moment ago is read only when nothing older can come.
        await new Promise((resolve) => setTimeout(resolve, 60))
        await handOn(() => Date.now() > until)
      }
      unlock?.()
      journal.close()
    },
  }
}

function facts(data: Text, context: Context, details: EventDetails): Record<string, unknown> {
  const { message, address, delivery, connection } = context
  const shown = (text: string | undefined): string | undefined =>
    text === undefined || text === '' ? undefined : decodeUtf8(text)
  return {
    id: shown(message?.id),
    data: shown(textOf(data)),
    errno: details.errno,
    sender: message?.sender === undefined ? undefined : decodeUtf8(message.sender),
    local_part: shown(address?.localPart),
    domain: shown(address?.domain),
    router: shown(delivery?.routerName),
    transport: shown(delivery?.transportName),
    host: shown(delivery?.host),
    host_address: delivery?.hostAddress,
    host_port: delivery?.hostPort,
    client: connection?.hostAddress,
  }
}
