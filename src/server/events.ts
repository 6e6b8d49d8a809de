/**
 * Raises events: expands the actions that listen, and hands each event to the stream.
 *
 * An action is a guest: it cannot make a delivery fail or repeat, and it holds things up only until its time is over.
 * Source: Exim manual, "Events"; the transport post-delivery actions of 2014. Wording of the log as Exim 4.96.
 */
import { Failure, isFailure, type Awaitable, type Outcome } from '../base/outcome.ts'
import { type ByteString, type Text, textOf } from '../base/text.ts'
import type { Expandable } from '../base/expandable.ts'
import { type EventName, events } from '../mail/events.ts'
import type { Context, EventDetails } from '../ports.ts'

/** What becomes of each event beside the actions. */
export interface EventSink {
  /** The promise resolves when the event is as safe as it gets. */
  take(event: EventName, data: Text, context: Context, details: EventDetails): Promise<void> | undefined
}

export interface EventsOptions {
  expand(text: Expandable, context: Context): Awaitable<Outcome>
  readonly sink?: EventSink | undefined
}

export interface Events {
  raise(event: EventName, data: Text, context: Context, details?: EventDetails): Awaitable<ByteString>
  /** Resolves when every action that was begun is over. */
  settled(): Promise<void>
}

/** An action that listens, with its names for the log. */
interface Action {
  readonly text: Expandable
  readonly option: string
  readonly owner: string
}

export function createEvents(options: EventsOptions): Events {
  const running = new Set<Promise<unknown>>()

  function raise(
    event: EventName,
    data: Text,
    context: Context,
    details: EventDetails = {},
  ): Awaitable<ByteString> {
    const kept = options.sink?.take(event, data, context, details)
    const actions = actionsFor(event, context)
    if (actions.length === 0) return kept === undefined ? '' : kept.then(() => '')
    const work = afterwards(kept, () => runAll(actions, event, data, context, details))
    running.add(work)
    return work.finally(() => running.delete(work))
  }

  async function runAll(
    actions: readonly Action[],
    event: EventName,
    data: Text,
    context: Context,
    details: EventDetails,
  ): Promise<ByteString> {
    await details.after?.()
    let said = ''
    for (const action of actions) {
      const result = await runOne(action, event, data, context, details)
      // What the actions of 2014 give is thrown away: requirement T1.
      if (action.option === 'event_action' && said === '') said = result
    }
    return said
  }

  async function runOne(
    action: Action,
    event: EventName,
    data: Text,
    context: Context,
    details: EventDetails,
  ): Promise<ByteString> {
    const variables = new Map(context.variables)
    variables.set('event_name', event)
    variables.set('event_data', data)
    variables.set('event_defer_errno', String(details.errno ?? 0))
    const limit = new AbortController()
    const given = context.signal
    const signal = given === undefined ? limit.signal : AbortSignal.any([given, limit.signal])
    const seconds = context.settings.event_action_timeout
    const within = { ...context, variables, signal, captures: [], purpose: action.option }
    const result = await inTime(() => options.expand(action.text, within), seconds * 1000, limit)
    if (result === undefined) {
      tell(action, event, context, `not done after ${seconds}s`)
      return ''
    }
    if (!isFailure(result)) return textOf(result)
    // A forced failure is a way to say nothing.
    if (result.kind !== 'forced') tell(action, event, context, result.message)
    return ''
  }

  return {
    raise,
    async settled() {
      while (running.size > 0) await Promise.allSettled(running)
    },
  }
}

async function afterwards<T>(first: Promise<void> | undefined, then: () => Promise<T>): Promise<T> {
  await first
  return then()
}

function tell(action: Action, event: EventName, context: Context, why: ByteString): void {
  const what = action.option === 'event_action' ? `event_action ${event}` : action.option
  const line = `failed to expand ${what} in ${action.owner}: ${why}`
  context.ports.log.panic(context.message?.id, line)
}

/** The result, or undefined when it does not come in time; what throws is a failure like any other. */
async function inTime(
  work: () => Awaitable<Outcome>,
  milliseconds: number,
  limit: AbortController,
): Promise<Outcome | undefined> {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => {
      resolve(undefined)
      limit.abort()
    }, milliseconds)
  })
  try {
    return await Promise.race([work(), over])
  } catch (error) {
    return new Failure('failure', error instanceof Error ? error.message : String(error))
  } finally {
    clearTimeout(timer)
  }
}

function actionsFor(event: EventName, context: Context): Action[] {
  const { section, actionOf2014 } = events[event]
  const { delivery, settings, server } = context
  if (section === 'main' || (section === 'both' && (delivery?.transportName ?? '') === '')) {
    const text = settings.event_action
    return text === undefined ? [] : [{ text, option: 'event_action', owner: 'main' }]
  }
  const transport = server.configuration.transports.get(delivery?.transportName ?? '')
  if (transport === undefined) return []
  const owner = transport.name
  const found: Action[] = []
  const { event_action } = transport.settings
  if (event_action !== undefined) found.push({ text: event_action, option: 'event_action', owner })
  if (actionOf2014 !== undefined) {
    // `tpda_host_defer_action` stands in the table of the smtp driver alone.
    const text: Expandable | undefined = Reflect.get(transport.settings, actionOf2014)
    if (text !== undefined) found.push({ text, option: actionOf2014, owner })
  }
  return found
}
