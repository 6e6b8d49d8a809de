/** Source: Exim manual, "Previously seen user and hosts". */
import { formatInterval, parseInterval } from '../../../base/interval.ts'
import { after } from '../../../base/outcome.ts'
import { textOf } from '../../../base/text.ts'
import { errorOf, FALSE, type TextCondition, TRUE } from '../row.ts'

interface SeenOptions {
  /** True: was it seen before the time; false: since the time. */
  readonly before: boolean
  readonly seconds: number
  key: string | undefined
  mode: 'usual' | 'readonly' | 'write'
  refreshSeconds: number
}

export const seen: TextCondition = {
  kind: 'condition',
  name: 'seen',
  doc: 'True when a key was met within an interval, or, with a minus, longer ago than that.',
  since: '0.1',
  tier: 'B',
  argument: 'text',
  phases: 'all',
  run({ context }, argument) {
    const text = textOf(argument)
    const options = parse(text)
    if ('error' in options) return errorOf(options.error)
    const { debug, ports, trace } = context
    const key = options.key ?? context.connection?.hostAddress ?? ''
    const now = ports.now()
    const edge = now - options.seconds * 1000
    if (options.mode === 'readonly') {
      debug?.('acl', 'seen db not written (readonly)')
      const stored = ports.hints.get('seen', key)
      trace?.note('variable', `${key}:`, when(stored, now))
      return answer(stored, options.before, edge)
    }
    let old: unknown
    return after(
      ports.hints.update<number>('seen', key, (stored) => {
        old = stored
        const next = refreshed(stored, options, edge, now)
        if (next.why !== undefined) debug?.('acl', `seen db written (${next.why})`)
        return next.at
      }),
      () => {
        trace?.note('variable', `${key}:`, when(old, now))
        return answer(old, options.before, edge)
      },
    )
  },
}

/** For explanations. */
function when(at: unknown, now: number): string {
  if (typeof at !== 'number') return 'not seen before'
  return `seen ${formatInterval(Math.max(0, Math.round((now - at) / 1000)))} ago`
}

function answer(at: unknown, before: boolean, edge: number): typeof TRUE {
  if (typeof at !== 'number') return FALSE
  return (before ? at < edge : at >= edge) ? TRUE : FALSE
}

/** When the key counts as seen from now on. */
function refreshed(
  stored: number | undefined,
  options: SeenOptions,
  edge: number,
  now: number,
): { readonly at: number; readonly why?: string } {
  if (stored === undefined) return { at: now, why: 'create' }
  if (!options.before || options.mode === 'write') return { at: now, why: 'update' }
  // An old record is renewed, so that tidying the database does not lose it.
  const old = stored < edge && stored < now - options.refreshSeconds * 1000
  return old ? { at: now, why: 'refresh' } : { at: stored }
}

const TEN_DAYS = 10 * 86_400

function parse(text: string): SeenOptions | { readonly error: string } {
  const [first = '', ...rest] = text.split('/').map((part) => part.trim())
  const before = first.startsWith('-')
  const seconds = parseInterval(before ? first.slice(1).trim() : first)
  if (seconds === undefined) return { error: `failed to parse '${text}'` }
  const options: SeenOptions = { before, seconds, key: undefined, mode: 'usual', refreshSeconds: TEN_DAYS }
  for (const word of rest) {
    if (word.startsWith('key=')) options.key = word.slice('key='.length)
    else if (word === 'readonly' || word === 'write') options.mode = word
    else if (word.startsWith('refresh=')) {
      const refresh = parseInterval(word.slice('refresh='.length))
      if (refresh === undefined) return { error: `failed to parse '${text}'` }
      options.refreshSeconds = refresh
    } else return { error: `unrecognised option '${word}' in '${text}'` }
  }
  return options
}
